//! A grantor's consent to a rebind: whose it is, to what, and what it is held against.

use countersign_forge::{World, instance_key, policy, principal};
use countersign_protocol::{
    contract::{ChangeKind, Rebind, RebindConsent, Side, State as Contract},
    digest::{ChainId, Digest},
    domain::Event,
    refusal::Reason,
    signed::Statement,
};

use crate::{
    changes::change,
    invocation::begin,
    rebind::{Change, audited, critical, end_chain, restarted, state, take, taken, uuid},
};

fn consent(world: &mut World, by: &str, consent: &RebindConsent) -> Result<Vec<Event>, Reason> {
    let agent = world.agent(by);
    let signed = consent.sign(&agent.key);
    world.decide(|state, context| state.decide_rebind_consent(context, &agent.actor(), &signed))
}

#[test]
fn a_grantor_that_has_to_consent_is_asked_and_decides() {
    let (mut world, [_, first, _]) = restarted(Rebind::GrantorConsent);
    let asked = take(&mut world, "researcher2", first).unwrap();
    assert!(matches!(&asked[..], [Event::RebindAsked(_)]));
    assert_eq!(state(&world, first), Contract::Active, "until then nothing changes");
    assert!(begin(&mut world, "researcher", first).is_ok());
    let word = world.stage().rebind_consent("planner", first, "researcher2");
    let next = taken(consent(&mut world, "planner", &word));
    assert!(begin(&mut world, "researcher2", next).is_ok());
    assert_eq!(consent(&mut world, "planner", &word), Ok(Vec::new()), "a retry is harmless");
    let other = RebindConsent { evidence: Digest::of(b"other"), ..word };
    assert_eq!(consent(&mut world, "planner", &other), Err(Reason::IdAlreadyUsed));
    audited(&world);
    // The next one is asked for anew: one consent is for one instance.
    world.join("researcher3");
    assert!(matches!(&take(&mut world, "researcher3", next).unwrap()[..], [Event::RebindAsked(_)]));
}

/// Attack lines 2, 14, 31: a consent by another, to another, from another, or for what nobody asked.
#[test]
fn a_consent_is_the_grantors_to_what_was_asked() {
    let cases: [(&str, Change<RebindConsent>, Reason); 8] = [
        ("of another domain", |it| it.domain = "evil.example".parse().unwrap(), Reason::WrongDomain),
        ("by another", |it| it.sender = principal("planner").instance(uuid()), Reason::ChannelMismatch),
        ("of no hop", |it| it.hop = ChainId::from_bytes([1; 32]), Reason::NotFound),
        ("from another", |it| it.from = principal("researcher").instance(uuid()), Reason::NotFound),
        (
            "to another instance",
            |it| it.holder.instance = principal("researcher").instance(uuid()),
            Reason::NotFound,
        ),
        ("to another key", |it| it.holder.key = instance_key("x").public(), Reason::NotFound),
        ("on other evidence", |it| it.evidence = Digest::of(b"other"), Reason::NotFound),
        ("with more to it", |it| it.extensions = critical(), Reason::ExtensionUnknown),
    ];
    for (what, change, reason) in cases {
        let (mut world, [_, first, _]) = restarted(Rebind::GrantorConsent);
        take(&mut world, "researcher2", first).unwrap();
        let mut word = world.stage().rebind_consent("planner", first, "researcher2");
        change(&mut word);
        assert_eq!(consent(&mut world, "planner", &word), Err(reason), "{what}");
        assert_eq!(state(&world, first), Contract::Active);
    }
    for (who, reason) in
        [("researcher", Reason::NotFound), ("root", Reason::NotFound), ("researcher2", Reason::NotFound)]
    {
        let (mut world, [_, first, _]) = restarted(Rebind::GrantorConsent);
        take(&mut world, "researcher2", first).unwrap();
        let word = world.stage().rebind_consent(who, first, "researcher2");
        assert_eq!(consent(&mut world, who, &word), Err(reason), "{who}");
    }
    let (mut world, [_, first, _]) = restarted(Rebind::GrantorConsent);
    let word = world.stage().rebind_consent("planner", first, "researcher2");
    assert_eq!(consent(&mut world, "planner", &word), Err(Reason::NotFound), "nobody asked");
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    let word = world.stage().rebind_consent("planner", first, "researcher2");
    assert_eq!(consent(&mut world, "planner", &word), Err(Reason::NotFound), "nor has to");
}

/// A consent races with what happens to the chain, and with who asks.
#[test]
fn a_consent_is_held_against_what_is_there_when_it_comes() {
    let asked = || {
        let (mut world, chains) = restarted(Rebind::GrantorConsent);
        take(&mut world, "researcher2", chains[1]).unwrap();
        let word = world.stage().rebind_consent("planner", chains[1], "researcher2");
        (world, chains, word)
    };
    let (mut world, [_, first, second], word) = asked();
    end_chain(&mut world, "researcher", second).unwrap();
    assert_eq!(consent(&mut world, "planner", &word), Err(Reason::PreviewStale), "less would end");
    let (mut world, [_, first2, _], word) = asked();
    end_chain(&mut world, "root", first2).unwrap();
    assert_eq!(
        consent(&mut world, "planner", &word),
        Err(Reason::NotFound),
        "nothing is asked of what ended"
    );
    let (mut world, [_, first3, _], word) = asked();
    change(&mut world, "root", Side::Admin, first3, ChangeKind::Suspend).unwrap();
    assert_eq!(consent(&mut world, "planner", &word), Err(Reason::ContractSuspended));
    change(&mut world, "root", Side::Admin, first3, ChangeKind::Resume).unwrap();
    assert!(consent(&mut world, "planner", &word).is_ok(), "the question stands");
    let (mut world, [_, first4, _], word) = asked();
    world.join("researcher3");
    assert!(take(&mut world, "researcher3", first4).is_ok());
    assert_eq!(consent(&mut world, "planner", &word), Err(Reason::NotFound), "the newest is heard");
    assert_eq!(take(&mut world, "researcher2", first4), Err(Reason::RebindNotAllowed), "and no older one");
    let (mut world, .., word) = asked();
    world.pass(policy().svid_lifetime.as_millis());
    world.stay("planner");
    let word = RebindConsent { issued: world.now, ..word };
    assert_eq!(consent(&mut world, "planner", &word), Err(Reason::CertificateExpired), "it is gone again");
    let _ = first;
}
