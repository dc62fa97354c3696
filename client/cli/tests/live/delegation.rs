//! From a grant to its evidence, and to its end.

use std::fs;

use countersign::Held;
use countersign_cli::Exit;
use countersign_protocol::{id::InvocationId, refusal::Reason};
use serde_json::Value;

use crate::{
    broker::{DOMAIN, Site},
    programs::{Programs, SCOPE, capability, rules},
};

/// alice granted to the planner, the planner delegated to the researcher, who used it once.
pub(crate) struct Used {
    pub(crate) site: Site,
    pub(crate) programs: Programs,
    pub(crate) grant: Value,
    pub(crate) held: Held,
    pub(crate) contract: String,
    pub(crate) invocation: InvocationId,
}

pub(crate) fn used() -> Used {
    let site = Site::start(&rules());
    site.join("alice");
    let programs = Programs::start(&site);
    let file = site.path("rights.toml");
    fs::write(&file, format!("{SCOPE}{}", capability(""))).unwrap();
    let to = programs.planner.instance().as_str();
    let create = ["grant", "create", "--to", to, "--lifetime", "1h", "--file", &file];
    let grant = site.json("alice", &create).json();
    let held = programs.negotiate(&site);
    let contract = held.contract().unwrap().contract_id.to_string();
    let invocation = programs.read(&site, &held).unwrap().invocation;
    Used { site, programs, grant, held, contract, invocation }
}

#[test]
fn what_was_done_is_explained_and_checked_offline_until_a_bit_is_flipped() {
    let Used { mut site, invocation, contract, .. } = used();
    let (invocation, bundle) = (invocation.to_string(), site.path("bundle"));

    let explained = site.json("alice", &["explain", &invocation, "--bundle", &bundle]).json();
    assert_eq!(explained["originator"], format!("spiffe://{DOMAIN}/human/alice"));
    assert_eq!(explained["chain"][1]["contract_id"], contract);
    assert_eq!(explained["outcome"]["receipt"]["outcome"], "done");
    let again = site.run("alice", &["explain", &invocation, "--bundle", &bundle]);
    assert_eq!(again.exit, Exit::Conflict, "no file is written over");

    // Nothing but the bundle and the keys is needed from here on.
    site.stop();
    let keys = site.keys();
    let verify = |bundle: &str| site.json("nobody", &["verify", bundle, "--offline", "--keys", &keys]);
    assert_eq!(verify(&bundle).json(), explained);
    let page = site.run("nobody", &["verify", &bundle, "--offline", "--keys", &keys]);
    let proven = page.out.find("Proven by signatures and by the log\n✓ ");
    let attested = page.out.find("Attested by the broker, and not shown by this evidence\n? ");
    assert!(proven.is_some() && proven < attested, "{}", page.out);

    let bytes = fs::read(&bundle).unwrap();
    let altered = site.path("altered");
    for byte in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut bytes = bytes.clone();
        bytes[byte] ^= 1;
        fs::write(&altered, bytes).unwrap();
        let failure = verify(&altered).failure(Exit::Tampered);
        assert!(failure["rule"].as_str().is_some_and(|rule| rule.contains('-')), "byte {byte}: {failure}");
    }
    // Evidence of one domain is none in another.
    let other = Site::start("");
    let foreign = site.json("nobody", &["verify", &bundle, "--offline", "--keys", &other.keys()]);
    assert_eq!(foreign.failure(Exit::Tampered)["exit"], "tampered");
}

#[test]
fn a_contract_is_shown_once_it_is_verified() {
    let Used { site, programs, grant, held, contract, .. } = used();
    let shown = site.json("alice", &["contract", "show", &contract]).json();
    assert_eq!(shown["grantor"]["instance"], programs.planner.instance().as_str());
    assert_eq!(shown["grantee"]["instance"], programs.researcher.instance().as_str());
    assert_eq!(shown["rights"]["budget"]["ceiling"], 10);
    // By the beginning of its chain, too.
    let chain = held.chain_id().to_string();
    let verified = site.json("alice", &["contract", "verify", &chain[..16]]).json();
    assert_eq!((&verified["hash"], &verified["chain_id"]), (&shown["hash"], &chain.as_str().into()));
    assert_eq!(verified["verified"].as_array().unwrap().len(), 6);

    let listed = site.json("alice", &["contract", "list"]).json();
    assert_eq!(listed["contracts"][0]["contract_id"], contract.as_str());
    // A grant is no contract, and what one may not see is not there.
    let chain = grant["chain_id"].as_str().unwrap();
    assert_eq!(site.run("alice", &["contract", "show", chain]).exit, Exit::NotFound);
    site.join("mallory");
    assert_eq!(site.run("mallory", &["contract", "show", &contract]).exit, Exit::NotFound);
    let full = held.chain_id().to_string();
    assert_eq!(site.run("mallory", &["contract", "show", &full]).exit, Exit::NotFound);

    // The session's keys verify a token as well as a file of keys does.
    let token = site.with_input("alice", held.token().as_bytes(), &["-o", "json", "token", "inspect"]).json();
    assert_eq!((&token["verified"], &token["links"][1]["chain_id"]), (&true.into(), &full.into()));
}

#[test]
fn a_revocation_ends_what_was_counted_and_nothing_else() {
    let Used { site, programs, grant, held, contract, .. } = used();
    let tree = site.json("alice", &["graph", "tree"]).json();
    assert_eq!(tree["trees"][0]["grant_id"], grant["grant_id"]);
    let child = &tree["trees"][0]["children"][0];
    assert_eq!((&child["contract_id"], &child["settled"]), (&contract.as_str().into(), &1.into()));
    assert_eq!(tree["trees"][0]["delegated"], 10);

    let grant = grant["grant_id"].as_str().unwrap();
    let preview = site.json("alice", &["revoke", grant, "--dry-run"]).json();
    assert_eq!((&preview["chains"], preview["links"].as_array().unwrap().len()), (&2.into(), 2));
    let stale = site.json("alice", &["revoke", grant, "--confirm", "1"]).failure(Exit::Conflict);
    assert_eq!(stale["reason"], "PREVIEW_STALE");
    assert!(programs.read(&site, &held).is_ok(), "nothing was revoked");

    site.join("mallory");
    let chain = held.chain_id().to_string();
    let forbidden = site.run("mallory", &["revoke", &chain, "--confirm", "1"]);
    assert_eq!(forbidden.exit, Exit::NotFound, "{}", forbidden.err);

    let revoked = site.json("alice", &["revoke", &contract, "--confirm", "1"]).json();
    assert_eq!((&revoked["target"], &revoked["epoch"]), (&chain.into(), &1.into()));
    let refused = programs.read(&site, &held).unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::Revoked));
    let active = site.json("alice", &["graph", "tree"]).json();
    assert_eq!(active["trees"][0]["children"], Value::Array(Vec::new()));
    let all = site.json("alice", &["graph", "tree", grant, "--all"]).json();
    assert_eq!(all["trees"][0]["children"][0]["state"], "REVOKED");
    assert_eq!(site.json("alice", &["grant", "list"]).json()["grants"][0]["state"], "ACTIVE");
}

#[test]
fn a_contract_is_held_up_by_those_who_may_and_until_they_let_go() {
    let Used { site, programs, grant, held, contract, .. } = used();
    let grant = grant["grant_id"].as_str().unwrap();
    let counted = site.json("alice", &["contract", "suspend", grant, "--as", "grantor", "--dry-run"]).json();
    assert_eq!(counted["chains"], 2);
    let change = |who: &str, verb: &str, id: &str, side: &str, chains: &str| {
        site.json(who, &["contract", verb, id, "--as", side, "--confirm", chains])
    };
    assert_eq!(change("alice", "suspend", grant, "grantor", "2").json()["state"], "SUSPENDED");
    assert_eq!(change("root", "suspend", &contract, "admin", "1").json()["state"], "SUSPENDED");
    assert_eq!(programs.read(&site, &held).unwrap_err().reason(), Some(Reason::ContractSuspended));
    let listed = site.json("alice", &["contract", "list"]).json();
    assert_eq!(listed["contracts"][0]["state"], "SUSPENDED", "it has not ended");
    let not = change("root", "resume", grant, "admin", "2").failure(Exit::Conflict);
    assert_eq!(not["reason"], "CONTRACT_NOT_SUSPENDED");
    let other = change("alice", "resume", &contract, "grantor", "1").failure(Exit::Denied);
    assert_eq!(other["reason"], "CHANGE_NOT_ALLOWED");
    assert_eq!(change("alice", "resume", grant, "grantor", "2").json()["state"], "ACTIVE");
    assert_eq!(change("root", "resume", &contract, "admin", "1").json()["state"], "ACTIVE");
    assert!(programs.read(&site, &held).is_ok());

    let digest = "0".repeat(64);
    let breach = ["contract", "breach", grant, "--as", "grantor", "--evidence", &digest, "--confirm", "2"];
    assert_eq!(site.json("alice", &breach).json()["state"], "BREACHED");
    assert_eq!(programs.read(&site, &held).unwrap_err().reason(), Some(Reason::Revoked));
    let retired = site.json("alice", &["contract", "retire", grant, "--confirm", "0"]).failure(Exit::Denied);
    assert_eq!(retired["reason"], "CHANGE_NOT_ALLOWED", "it is the planner's");
}

#[test]
fn an_admin_sees_everything_and_audits_it_and_nobody_else_does() {
    let Used { site, programs, invocation, .. } = used();
    let listed = site.json("root", &["agent", "list"]).json();
    let names: Vec<_> =
        listed["instances"].as_array().unwrap().iter().map(|it| it["principal"].as_str()).collect();
    assert_eq!(names.len(), 5, "root, alice, planner, researcher and files: {names:?}");
    let audit = site.json("root", &["ledger", "audit"]).json();
    assert_eq!((&audit["clean"], &audit["found"]), (&true.into(), &0.into()), "{audit}");
    assert_eq!(audit["counts"]["ContractFinalized"], 1);
    let checkpoint = site.json("root", &["ledger", "checkpoint"]).json();
    assert!(checkpoint["note"].as_str().unwrap().starts_with(checkpoint["origin"].as_str().unwrap()));
    assert!(checkpoint["size"].as_u64() >= audit["entries"].as_u64());
    assert_eq!(site.json("root", &["explain", &invocation.to_string()]).exit, Exit::Ok);

    for args in [
        &["agent", "list"][..],
        &["ledger", "audit"],
        &["agent", "invite", "spiffe://prod.acme.example/agent/x"],
    ] {
        let denied = site.json("alice", args);
        assert!(
            matches!(denied.exit, Exit::Denied | Exit::NotFound),
            "{args:?}: {}{}",
            denied.out,
            denied.err
        );
    }
    site.join("mallory");
    let strange = site.json("mallory", &["explain", &invocation.to_string()]).failure(Exit::NotFound);
    let unknown = "01939f3e-0000-7000-8000-000000000001";
    let mut absent = site.json("mallory", &["explain", unknown]).failure(Exit::NotFound);
    absent["what"] = strange["what"].clone();
    assert_eq!(strange, absent, "a stranger cannot tell whether it exists");
    assert_eq!(site.json("mallory", &["graph", "tree", "--all"]).json()["trees"], Value::Array(Vec::new()));

    // What alice may not grant, and what mallory may not.
    let planner = programs.planner.instance().as_str();
    let mut flags =
        vec!["grant", "create", "--to", planner, "--lifetime", "1h", "--resource", "file:/etc/**"];
    let rest = "--action files:read --audience spiffe://prod.acme.example/service/files --unit calls --ceiling 5 \
                --per-call 1 --delegations-left 0";
    flags.extend(rest.split_ascii_whitespace());
    assert_eq!(site.json("alice", &flags).failure(Exit::Denied)["reason"], "GRANT_NOT_ALLOWED");
    flags[7] = "file:/data/eu/*";
    assert_eq!(site.json("mallory", &flags).failure(Exit::Denied)["reason"], "GRANT_NOT_ALLOWED");
    assert_eq!(site.json("alice", &flags).json()["rights"]["capabilities"][0]["resource"], "file:/data/eu/*");
}

#[test]
fn a_stream_under_what_someone_else_holds_prints_nothing() {
    let Used { site, grant, .. } = used();
    let (chain, at) = (grant["chain_id"].as_str().unwrap(), format!("spiffe://{DOMAIN}/service/files"));
    let args = ["-o", "json", "invoke", chain, "files:read", "file:/data/eu/q3.csv", "--at", &at, "--stream"];
    let refused = site.with_input("alice", b"hello", &args);
    assert_ne!(refused.exit, Exit::Ok);
    refused.failure(refused.exit);
}
