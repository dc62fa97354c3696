//! Evidence of what was done after a rebind, and what a hostile broker can forge of it.

use countersign_forge::{World, biscuit::Container, domain, domain_key, principal};
use countersign_protocol::{
    contract::{Rebind, RebindRequest},
    digest::{ChainId, Digest},
    domain::{ChainRebound, Entry, Event},
    explain::Bundle,
    extension::Extensions,
    key::SigningKey,
    payload::{Bounded, Payload},
    signed::Statement,
    token::{Holder, RebindTerms},
};

use crate::{
    explain::{bundle, done, relogged, see_again, verify},
    rebind::{at, critical, reconfigured, restarted, take, taken, uuid},
};

/// A bundle shows who agreed, who took over, and by whose word; whatever is changed in that is found.
#[test]
fn evidence_of_a_use_after_a_rebind_is_checked_offline() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    let next = taken(take(&mut world, "researcher2", first));
    let id = done(&mut world, "researcher2", next);
    let honest = bundle(&world, id, next);
    let explanation = verify(&honest).unwrap();
    let last = explanation.links.last().unwrap();
    assert_eq!(
        (&last.holder, last.named.as_ref()),
        (&world.agent("researcher2").id, Some(&world.agent("researcher").id))
    );

    // The same, after a hostile broker has changed one thing of it in its ledger.
    let forged = |change: &dyn Fn(&mut ChainRebound)| {
        let mut entries = world.entries.clone();
        let found = entries.iter_mut().find_map(|entry| match &mut entry.event {
            Event::ChainRebound(event) => Some(event),
            _ => None,
        });
        change(found.unwrap());
        let mut ledger: Vec<Vec<u8>> = entries.iter().map(Entry::to_bytes).collect();
        see_again(&mut ledger);
        crate::forged::refused(&relogged(&honest, &ledger))
    };
    let request: RebindRequest = honest_request(&world);
    let new = world.agent("researcher2").key;
    let signed = |change: fn(&mut RebindRequest), key: &SigningKey| {
        let mut request = request.clone();
        change(&mut request);
        request.sign(key)
    };
    let invalid = Some("LOG-055");
    assert_eq!(forged(&|_| ()), None, "the twin");
    assert_eq!(
        forged(&|it| it.request = signed(|_| (), &world.agent("researcher").key)),
        invalid,
        "by another key"
    );
    assert_eq!(
        forged(&|it| it.request = signed(|it| it.domain = "evil.example".parse().unwrap(), &new)),
        invalid
    );
    assert_eq!(
        forged(&|it| it.request = signed(|it| it.sender = principal("researcher").instance(uuid()), &new)),
        invalid
    );
    assert_eq!(forged(&|it| it.request = signed(|it| it.extensions = critical(), &new)), invalid);
    let yesterday: fn(&mut RebindRequest) = |it| it.issued = at(it.issued.as_millis() - 86_400_000);
    assert_eq!(forged(&|it| it.request = signed(yesterday, &new)), invalid, "not fresh");
    let hop = world.state.chain(&first).unwrap().token.clone();
    assert_eq!(forged(&|it| it.token.clone_from(&hop)), invalid, "no rebind at all");
    let other = RebindTerms { from: principal("researcher").instance(uuid()), ..world_terms(&world, first) };
    let other = Container::read(&domain(), &hop).rebind(&other, &domain_key(204)).bytes();
    assert_eq!(forged(&|it| it.token.clone_from(&other)), invalid, "another chain's token");
    let mut swapped = world.entries.clone();
    let [made, rebound] = [first, next].map(|it| world.state.chain(&it).unwrap().leaf.get() as usize);
    swapped.swap(made, rebound);
    let mut ledger: Vec<Vec<u8>> = swapped.iter().map(Entry::to_bytes).collect();
    see_again(&mut ledger);
    assert_eq!(crate::forged::refused(&relogged(&honest, &ledger)), Some("LOG-039"), "before its contract");
    // Entries that are needed and not there.
    for missing in 0..honest.entries.len() - 1 {
        let mut entries = honest.entries.to_vec();
        entries.remove(missing);
        let entries = Bounded::new(entries).unwrap();
        let bundle = Bundle { entries, ..honest.clone() };
        assert!(
            matches!(verify(&bundle).map(drop).map_err(|it| it.rule()), Err("LOG-034" | "LOG-041")),
            "{missing}"
        );
    }
}

/// What the domain's own key signs is held against what was attested and agreed.
#[test]
fn evidence_of_a_rebind_that_the_domain_made_up_is_found() {
    let (world, [_, first, _]) = restarted(Rebind::Domain);
    let honest = world.clone();
    let rule = |change: fn(&mut RebindTerms), by: u8| {
        // A broker that decides nothing, and records what it likes.
        let mut world = honest.clone();
        let Event::ChainRebound(mut event) =
            take(&mut honest.clone(), "researcher2", first).unwrap().remove(0)
        else {
            panic!()
        };
        let hop = world.state.chain(&first).unwrap().token.clone();
        let mut terms = world_terms(&world, first);
        change(&mut terms);
        let token = Container::read(&domain(), &hop).rebind(&terms, &domain_key(by));
        (event.token, event.chain_id) =
            (token.bytes(), ChainId::from_bytes(token.chain_ids().pop().unwrap()));
        let next = event.chain_id;
        world.record(&Event::ChainRebound(event));
        let id = done(&mut world, "researcher2", next);
        let ledger: Vec<Vec<u8>> = world.entries.iter().map(Entry::to_bytes).collect();
        let found = crate::forged::refused(&relogged(&bundle(&world, id, next), &ledger));
        assert_eq!(crate::audit::audit(&world).is_clean(), found.is_none(), "an audit finds it, too");
        found
    };
    assert_eq!(rule(|_| (), 204), None, "the twin");
    assert_eq!(rule(|it| it.evidence = Digest::of(b"other"), 204), Some("LOG-055"));
    // What joined is another party, and the domain passes it off as the one that was agreed with.
    let mut world = honest;
    reconfigured(&mut world, "researcher2");
    let terms = world_terms(&world, first);
    let hop = world.state.chain(&first).unwrap().token.clone();
    let token = Container::read(&domain(), &hop).rebind(&terms, &domain_key(204));
    let request = world.stage().rebind_request("researcher2", first).sign(&world.agent("researcher2").key);
    let next = ChainId::from_bytes(token.chain_ids().pop().unwrap());
    let event = ChainRebound { request, chain_id: next, token: token.bytes() };
    world.record(&Event::ChainRebound(event));
    let id = done(&mut world, "researcher2", next);
    let ledger: Vec<Vec<u8>> = world.entries.iter().map(Entry::to_bytes).collect();
    assert_eq!(crate::forged::refused(&relogged(&bundle(&world, id, next), &ledger)), Some("LOG-055"));
}

/// What the domain has to sign for researcher2.
fn world_terms(world: &World, chain: ChainId) -> RebindTerms {
    let new = world.agent("researcher2");
    RebindTerms {
        from: world.state.chain(&chain).unwrap().holder.clone(),
        holder: Holder { instance: new.id.clone(), key: new.key.public() },
        evidence: world.state.instance(&new.id).unwrap().statement.evidence,
        consent: None,
        extensions: Extensions::none(),
    }
}

fn honest_request(world: &World) -> RebindRequest {
    let found = world.entries.iter().find_map(|entry| match &entry.event {
        Event::ChainRebound(event) => event.request.peek_unverified().ok(),
        _ => None,
    });
    found.unwrap()
}
