//! Asking the delegation graph: who can, who could, why not, and what is new.

use countersign_cli::Exit;
use serde_json::Value;

use crate::{
    broker::DOMAIN,
    delegation::{Used, used},
};

const FILE: &str = "file:/data/eu/q3.csv";

fn files() -> String {
    format!("spiffe://{DOMAIN}/service/files")
}

fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a str> {
    rows.as_array().unwrap().iter().map(|row| row[name].as_str().unwrap()).collect()
}

#[test]
fn the_graph_is_asked_now_and_as_it_was() {
    let Used { site, programs, grant, held, .. } = used();
    let (chain, top) = (held.chain_id().to_string(), grant["chain_id"].as_str().unwrap());
    let researcher = programs.researcher.instance().to_string();
    let who = ["graph", "who-can", "files:read", FILE, "--at", &files()];
    let can = site.json("alice", &who).json();
    assert_eq!(column(&can["abilities"], "chain_id"), [top, chain.as_str()]);
    let before = can["as_of"].as_u64().unwrap().to_string();

    let what = ["graph", "what-can", &format!("spiffe://{DOMAIN}/agent/researcher")];
    assert_eq!(column(&site.json("alice", &what).json()["edges"], "holder"), [researcher.as_str()]);
    let path = site.json("alice", &["graph", "path", &researcher]).json();
    assert_eq!(column(&path["paths"][0]["edges"], "chain_id"), [top, chain.as_str()]);

    assert_eq!(site.run("alice", &["revoke", &chain, "--confirm", "1"]).exit, Exit::Ok);
    assert_eq!(column(&site.json("alice", &who).json()["abilities"], "chain_id"), [top]);
    let then = site.json("alice", &[&who[..], &["--as-of", &before]].concat()).json();
    assert_eq!(then, can, "the past does not change");
    let tree = |more: &[&str]| site.json("alice", &[&["graph", "tree"], more].concat()).json();
    assert_eq!(tree(&[])["trees"][0]["children"], Value::Array(vec![]));
    assert_eq!(tree(&["--as-of", &before])["trees"][0]["children"][0]["state"], "ACTIVE");
    assert_eq!(tree(&["--all"])["trees"][0]["children"][0]["state"], "REVOKED");
    assert_eq!(tree(&["--as-of", "1"])["trees"], Value::Array(vec![]));
    assert_eq!(
        site.json("alice", &["graph", "tree", "--as-of", "1000000"]).failure(Exit::NotFound)["reason"],
        "NOT_FOUND"
    );
    for (args, exit) in
        [(["graph", "tree", "--as-of", "0"], Exit::Usage), (["graph", "watch", "--from", "x"], Exit::Usage)]
    {
        assert_eq!(site.run("alice", &args).exit, exit, "{args:?}");
    }
}

#[test]
fn what_is_refused_is_explained_with_who_could_help() {
    let Used { site, programs, held, .. } = used();
    let (chain, researcher) = (held.chain_id().to_string(), programs.researcher.instance().to_string());
    for who in [&chain, &researcher, &format!("spiffe://{DOMAIN}/agent/researcher")] {
        let yes = site.json("alice", &["can", who, "files:read", FILE, "--at", &files()]).json();
        assert_eq!((&yes["allowed"], &yes["denial"]), (&true.into(), &Value::Null), "{who}");
        let no = site.json("alice", &["can", who, "files:read", "file:/etc/passwd", "--at", &files()]);
        assert_eq!(no.exit, Exit::Denied);
        let answer: Value = serde_json::from_str(&no.out).unwrap();
        assert_eq!(
            (&answer["allowed"], &answer["denial"]["reason"]),
            (&false.into(), &"CHECK_FAILED".into())
        );
        let failure: Value = serde_json::from_str(&no.err).unwrap();
        assert_eq!(failure["exit"], "denied");
    }
    let told = site.run("alice", &["can", &chain, "files:read", "file:/etc/passwd", "--at", &files()]);
    assert!(told.out.starts_with("✗ no: "), "{}", told.out);
    assert!(
        told.out.contains(&format!("refused by  the link of {}", programs.planner.instance())),
        "{}",
        told.out
    );
    site.join("mallory");
    let strange = ["can", &chain, "files:read", FILE, "--at", &files()];
    assert_eq!(site.json("mallory", &strange).failure(Exit::NotFound)["reason"], "NOT_AVAILABLE");
}

#[test]
fn a_graph_is_drawn_listed_and_watched() {
    let Used { site, held, grant, .. } = used();
    let (chain, top) = (held.chain_id().to_string(), grant["chain_id"].as_str().unwrap());
    let drawn = |form: &str| site.run("alice", &["-o", form, "graph", "tree"]).out;
    assert!(drawn("dot").starts_with("digraph delegations {\n"), "{}", drawn("dot"));
    assert_eq!(drawn("dot").matches(" -> ").count(), 2);
    assert!(drawn("mermaid").starts_with("flowchart LR\n"), "{}", drawn("mermaid"));
    assert_eq!(drawn("tree"), site.run("alice", &["graph", "tree"]).out);
    let lines = site.run("alice", &["-o", "jsonl", "contract", "list"]).out;
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), rows[0]["chain_id"].as_str().unwrap()), (1, chain.as_str()));
    let wide = site.run("alice", &["-o", "wide", "graph", "what-can", grant["holder"].as_str().unwrap()]).out;
    assert!(wide.contains(top), "nothing is shortened: {wide}");
    let undrawn = site.run("alice", &["-o", "dot", "revoke", &chain, "--confirm", "1"]);
    assert_eq!(undrawn.exit, Exit::Usage, "{}", undrawn.err);
    let radius = site.json("alice", &["graph", "blast-radius", top]).json();
    assert_eq!(
        (&radius["chains"], column(&radius["links"], "chain_id")),
        (&2.into(), vec![top, chain.as_str()])
    );

    assert_eq!(site.run("alice", &["revoke", &chain, "--confirm", "1"]).exit, Exit::Ok);
    let watch = ["-o", "jsonl", "graph", "watch", "--from", "0", "--limit", "3"];
    let told: Vec<Value> =
        site.run("alice", &watch).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> =
        told.iter().map(|it| (it["chain_id"].as_str().unwrap(), it["state"].as_str().unwrap())).collect();
    assert_eq!(seen, [(top, "ACTIVE"), (chain.as_str(), "ACTIVE"), (chain.as_str(), "REVOKED")]);
    let last = told[1]["leaf"].as_u64().unwrap() + 1;
    let resumed = ["-o", "jsonl", "graph", "watch", "--from", &last.to_string(), "--limit", "1"];
    let resumed: Value = serde_json::from_str(&site.run("alice", &resumed).out).unwrap();
    assert_eq!(resumed, told[2]);
}
