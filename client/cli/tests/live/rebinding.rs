//! A person whose session is gone takes over, in the next one, what was agreed with the first.

use countersign::{Agent, Ask, Held, OfferReply, Options, RequestReply, Terms};
use countersign_cli::Exit;
use countersign_protocol::{contract::Rebind, digest::Digest, time::Lifetime};

use crate::{
    broker::{DOMAIN, Site},
    delegation::{Used, used},
    programs::some_rights,
};

/// What the command line joins as: another configuration would be another party.
const CONFIGURATION: &[u8] = b"countersign command line";

/// A session of carol's that is not a file: the command line knows nothing of it.
fn carol(site: &Site) -> Agent {
    let token = site.invite("human/carol").trim_end().parse().unwrap();
    site.runtime.block_on(Agent::join(&token, Options::new(Digest::of(CONFIGURATION)))).unwrap()
}

/// The planner's contract with carol.
fn agreed(site: &Site, planner: &Agent, carol: &Agent, rebind: Rebind) -> Held {
    site.runtime.block_on(async {
        let parent = planner.holdings().await.unwrap().remove(0);
        let (rights, minute) = (some_rights(planner.now()), Lifetime::from_millis(60_000));
        let ask = Ask {
            rights: rights.clone(),
            purpose: "to look at".into(),
            deadline: carol.now().plus(minute),
            max_rounds: 1,
            award: None,
        };
        let mut offer = |_: &_| {
            let terms = Terms::new(rights.clone(), minute, minute);
            RequestReply::from(Terms { rebind, ..terms })
        };
        let mut accept = |_: &_| OfferReply::Accept;
        let asking = carol.negotiate(planner.instance().principal(), ask, &mut accept);
        let (_, held) = tokio::join!(planner.delegate(&parent, &mut offer), asking);
        held.unwrap()
    })
}

#[test]
fn a_contract_is_taken_over_by_the_next_session_of_its_holder() {
    let Used { site, programs, .. } = used();
    let first = carol(&site);
    let held = agreed(&site, &programs.planner, &first, Rebind::Domain);
    let asks = agreed(&site, &programs.planner, &first, Rebind::GrantorConsent);
    site.join("carol");
    let listed = site.json("carol", &["contract", "rebind"]).json();
    assert_eq!(listed["contracts"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(site.json("alice", &["contract", "rebind"]).json()["contracts"], serde_json::json!([]));

    let id = held.contract().unwrap().contract_id.to_string();
    let stale = site.json("carol", &["contract", "rebind", &id, "--confirm", "7"]).failure(Exit::Conflict);
    assert_eq!(stale["reason"], "PREVIEW_STALE");
    let nothing = site.json("alice", &["contract", "rebind", &id, "--confirm", "1"]).failure(Exit::NotFound);
    assert!(nothing["reason"].is_null(), "{nothing}");
    let taken = site.json("carol", &["contract", "rebind", &id, "--confirm", "1"]).json();
    assert_eq!((&taken["outcome"], &taken["contract_id"]), (&"held".into(), &id.as_str().into()));
    let mine = site.json("carol", &["contract", "list"]).json();
    assert_eq!(mine["contracts"][0]["chain_id"], taken["chain_id"]);
    let shown = site.json("carol", &["contract", "show", &id]).json();
    assert_eq!(shown["rebind"], "domain");
    assert!(
        site.runtime.block_on(first.holdings()).unwrap().iter().all(|it| it.chain_id() != held.chain_id())
    );

    let id = asks.contract().unwrap().contract_id.to_string();
    let asked = site.json("carol", &["contract", "rebind", &id, "--confirm", "1"]).json();
    assert_eq!((&asked["outcome"], &asked["holder"]), (&"asked".into(), &first.instance().as_str().into()));
    // The planner is a program; a person who delegated would be shown the same by `contract consent`.
    let nobody = site.json("alice", &["contract", "consent"]).json();
    assert_eq!(nobody["asked"], serde_json::json!([]), "alice did not sign that contract");
    let to = format!("spiffe://{DOMAIN}/human/carol/i/01939f3e-0000-7000-8000-000000000001");
    let refused = site.json("carol", &["contract", "consent", &id, "--to", &to]).failure(Exit::NotFound);
    assert!(refused["reason"].is_null());
    site.runtime.block_on(async {
        let asked = programs.planner.rebinds_asked().await.unwrap();
        programs.planner.consent_to_rebind(&asked[0]).await.unwrap();
    });
    assert_eq!(
        site.json("carol", &["contract", "list"]).json()["contracts"].as_array().map(Vec::len),
        Some(2)
    );
}
