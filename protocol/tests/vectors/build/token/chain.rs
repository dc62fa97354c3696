//! The walk: who signed each hop, whether it is narrower, and whether somebody stands in it twice.

use countersign_forge::biscuit::Container;
use countersign_protocol::{
    capability::Rights,
    contract::{Rebind, RebindConsent},
    digest::{ChainId, Digest},
    extension::Extensions,
    id::RequestId,
    payload::{Ascending, Bounded},
    signed::Statement,
    token::{HopTerms, RebindTerms},
};

use serde_json::json;

use super::{super::super::cast, ONE, OP, Shelf, TWO, give, grant, one};

pub(super) fn fill(shelf: &mut Shelf) {
    grantors(shelf);
    widenings(shelf);
    ancestors(shelf);
    loops(shelf);
    rebinds(shelf);
}

fn grantors(shelf: &mut Shelf) {
    let second = |grantor| one().hop(&cast::hop_terms("fetcher", 2), &cast::key(grantor));
    let cases: [(&str, &str, usize, &str, Container); 5] = [
        (
            "hop-by-a-stranger",
            ONE,
            1,
            "mallory hands on what it does not hold.",
            grant().hop(&cast::hop_terms("researcher", 1), &cast::key("mallory")),
        ),
        (
            "hop-by-the-grantee",
            ONE,
            1,
            "researcher gives itself what planner holds.",
            grant().hop(&cast::hop_terms("researcher", 1), &cast::key("researcher")),
        ),
        ("hop-by-an-ancestor", TWO, 2, "planner hands on what it handed to researcher.", second("planner")),
        ("hop-by-the-domain", TWO, 2, "The domain's capability key delegates.", second("capability")),
        (
            "hop-by-another-copy",
            ONE,
            1,
            "Another copy of planner, with a key of its own.",
            grant().hop(&cast::hop_terms("researcher", 1), &cast::key("planner-copy")),
        ),
    ];
    for (id, twin, block, why, token) in cases {
        let draft = shelf.reject(OP, &format!("token.{id}"), twin).rule("CHN-001").because(why);
        let draft = draft.reason("HOP_NOT_BY_HOLDER").flag("Forgery").resigned();
        give(draft.at(&format!("/token/blocks/{block}/grantor")), &token.bytes());
    }
}

type Change = fn(&mut Rights);

fn one_capability(
    resource: &str,
    actions: &[&str],
    max: Option<i64>,
) -> Bounded<countersign_protocol::capability::Capability, 1, 32> {
    let constraints = max.map(|max| cast::constraint("max_bytes", cast::range(1, max)));
    Bounded::new(vec![cast::capability(resource, actions, constraints.into_iter().collect())]).unwrap()
}

/// The second hop, signed by researcher's own key, beyond what researcher has in one way.
fn widenings(shelf: &mut Shelf) {
    let cases: [(&str, &str, &str, Change); 13] = [
        ("action", "capabilities/0/actions/0", "An action that only the grant has.", |r| {
            r.capabilities = one_capability("file:/data/eu/**", &["list", "read"], Some(1024))
        }),
        ("resource", "capabilities/0/resource", "Everything.", |r| {
            r.capabilities = one_capability("file:/**", &["read"], Some(1024))
        }),
        ("sibling", "capabilities/0/resource", "A folder whose name begins the same.", |r| {
            r.capabilities = one_capability("file:/database/**", &["read"], Some(1024))
        }),
        ("limit", "capabilities/0/constraints/0/int_range/max", "A higher limit.", |r| {
            r.capabilities = one_capability("file:/data/eu/**", &["read"], Some(4097))
        }),
        ("no-limit", "capabilities/0/constraints/0", "A limit of the hop before is left out.", |r| {
            r.capabilities = one_capability("file:/data/eu/**", &["read"], None)
        }),
        ("audience", "audiences/1", "A callee that only the grant has.", |r| {
            r.audiences = Ascending::new(vec![cast::principal("files"), cast::principal("mail")]).unwrap()
        }),
        ("begin", "not_before", "It begins earlier.", |r| r.not_before = cast::at(cast::NOW - 9_001)),
        ("end", "not_after", "It ends later.", |r| r.not_after = cast::at(cast::NOW + 3_599_001)),
        ("ceiling", "budget/ceiling", "A higher ceiling.", |r| r.budget.ceiling = cast::amount(401)),
        ("per-call", "budget/per_call", "More per call.", |r| r.budget.per_call = cast::amount(5)),
        ("unit", "budget/unit", "Another unit.", |r| r.budget.unit = "cents".parse().unwrap()),
        ("window", "budget/window", "No window.", |r| r.budget.window = None),
        ("delegations", "delegations_left", "As many delegations as the hop before.", |r| {
            r.delegations_left = 2
        }),
    ];
    for (id, path, why, change) in cases {
        let mut terms = cast::hop_terms("fetcher", 2);
        change(&mut terms.rights);
        refuse(
            shelf,
            &format!("widened-{id}"),
            TWO,
            &format!("/token/blocks/2/terms/rights/{path}"),
            why,
            &one().hop(&terms, &cast::key("researcher")),
        );
    }
}

fn refuse(shelf: &mut Shelf, id: &str, twin: &str, path: &str, why: &str, token: &Container) {
    let draft = shelf.reject(OP, &format!("token.{id}"), twin).rule("CHN-002").because(why);
    let draft = draft.reason("RIGHTS_WIDENED").flag("PrivilegeEscalation").resigned();
    give(draft.at(path), &token.bytes());
}

/// A wide link in the middle, with a good leaf beneath it.
fn ancestors(shelf: &mut Shelf) {
    let cases: [(&str, &str, &str, Change); 3] = [
        (
            "middle-capability",
            "capabilities/0/resource",
            "The leaf is within the grant; the hop between them is not.",
            |r| r.capabilities = one_capability("file:/**", &["read"], Some(4096)),
        ),
        ("middle-end", "not_after", "The hop in the middle outlives the grant.", |r| {
            r.not_after = cast::at(cast::NOW + 3_600_001)
        }),
        ("middle-ceiling", "budget/ceiling", "The hop in the middle has more than the grant.", |r| {
            r.budget.ceiling = cast::amount(501)
        }),
    ];
    for (id, path, why, change) in cases {
        let mut middle = cast::hop_terms("researcher", 1);
        change(&mut middle.rights);
        let token = grant()
            .hop(&middle, &cast::key("planner"))
            .hop(&cast::hop_terms("fetcher", 2), &cast::key("researcher"));
        refuse(
            shelf,
            &format!("widened-{id}"),
            TWO,
            &format!("/token/blocks/1/terms/rights/{path}"),
            why,
            &token,
        );
    }
    let mut last = cast::grant_terms();
    last.rights.delegations_left = 0;
    let mut terms = cast::hop_terms("researcher", 1);
    terms.rights.delegations_left = 0;
    let mut first = cast::grant_terms();
    first.rights.delegations_left = 1;
    let good = cast::minted(&first).hop(&terms, &cast::key("planner"));
    super::accept(
        shelf,
        "token.last-delegation",
        "CHN-002",
        "The one delegation that the grant leaves.",
        &good,
    );
    let token = cast::minted(&last).hop(&terms, &cast::key("planner"));
    let path = "/token/blocks/0/terms/rights/delegations_left";
    refuse(
        shelf,
        "no-delegation-left",
        "token.last-delegation",
        path,
        "A grant that may not be handed on.",
        &token,
    );
}

fn loops(shelf: &mut Shelf) {
    let second = |name: &str| HopTerms { holder: cast::holder(name), ..cast::hop_terms("fetcher", 2) };
    for (id, name, why) in [
        ("back-to-the-first-holder", "planner", "A right that planner gave comes back to planner."),
        ("to-oneself", "researcher", "researcher hands on to itself."),
        ("to-another-copy", "planner-copy", "Another copy of planner is still planner."),
    ] {
        let token = one().hop(&second(name), &cast::key("researcher"));
        let draft = shelf.reject(OP, &format!("token.loop-{id}"), TWO).rule("CHN-005").because(why);
        let draft = draft.reason("CHAIN_LOOPS").flag("PrivilegeEscalation").resigned();
        give(draft.at("/token/blocks/2/terms/holder"), &token.bytes());
    }
}

/// planner's hop to researcher, which may be rebound as that rule says.
fn rebindable(rebind: Rebind) -> Container {
    grant().hop(&HopTerms { rebind, ..cast::hop_terms("researcher", 1) }, &cast::key("planner"))
}

/// A fresh instance takes researcher's link over.
fn taken_over() -> RebindTerms {
    RebindTerms {
        from: cast::instance("researcher"),
        holder: cast::holder("researcher-copy"),
        evidence: Digest::of(b"the fresh instance's evidence"),
        consent: None,
        extensions: Extensions::none(),
    }
}

fn consent(hop: &Container) -> RebindConsent {
    let RebindTerms { from, holder, evidence, .. } = taken_over();
    RebindConsent {
        domain: cast::domain(),
        sender: cast::instance("planner"),
        hop: ChainId::from_bytes(hop.chain_ids().pop().unwrap()),
        from,
        holder,
        evidence,
        request_id: "01939f3e-0000-7000-8000-0000000000aa".parse::<RequestId>().unwrap(),
        issued: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
}

/// The hop that was rebound is no link of the chain: its rebind is.
fn accept(shelf: &mut Shelf, id: &str, rule: &str, why: &str, token: &Container, holder: &str) {
    let mut ids = token.chain_ids();
    ids.remove(1);
    let chain: Vec<String> = ids.iter().map(hex::encode).collect();
    let output = json!({ "chain": chain, "holder": cast::instance(holder).as_str() });
    give(shelf.accept(OP, id).rule(rule).because(why).output(output), &token.bytes());
}

/// Who may take a link over, and by whose word.
fn rebinds(shelf: &mut Shelf) {
    let (good, asks) = ("token.rebound", "token.rebound-with-consent");
    let open = || rebindable(Rebind::Domain);
    let token = open().rebind(&taken_over(), &cast::key("rebind"));
    accept(
        shelf,
        good,
        "CHN-060",
        "A fresh instance holds the link in the hop's place.",
        &token,
        "researcher-copy",
    );
    let further = token.hop(&cast::hop_terms("fetcher", 2), &cast::key("researcher-copy"));
    let why = "What was taken over is handed on.";
    accept(shelf, "token.rebound-and-handed-on", "CHN-001", why, &further, "fetcher");
    let closed = rebindable(Rebind::GrantorConsent);
    let with = |signer: &str| RebindTerms {
        consent: Some(consent(&closed).sign(&cast::key(signer))),
        ..taken_over()
    };
    let token = closed.clone().rebind(&with("planner"), &cast::key("rebind"));
    accept(shelf, asks, "CHN-063", "Its grantor has consented.", &token, "researcher-copy");

    let mut refuse =
        |id: &str, twin: &str, rule: &str, reason: &str, path: &str, why: &str, token: &Container| {
            let draft = shelf.reject(OP, &format!("token.{id}"), twin).rule(rule).because(why);
            let draft = draft.reason(reason).flag("PrivilegeEscalation").resigned();
            give(draft.at(&format!("/token/blocks/{path}")), &token.bytes());
        };
    let by = |name: &str| open().rebind(&taken_over(), &cast::key(name));
    let untrusted = "TOKEN_UNTRUSTED";
    for (id, name, why) in [
        ("rebound-by-the-capability-key", "capability", "The domain signs it with another of its keys."),
        ("rebound-by-the-holder", "researcher", "The old holder hands the link to another copy of itself."),
        ("rebound-by-the-new-holder", "researcher-copy", "The new holder takes it by its own word."),
    ] {
        refuse(id, good, "CHN-060", untrusted, "2/grantor", why, &by(name));
    }
    let not = "REBIND_NOT_ALLOWED";
    let never = rebindable(Rebind::Never).rebind(&taken_over(), &cast::key("rebind"));
    let why = "Its grantor has signed that it is never rebound.";
    refuse("rebound-against-the-hop", good, "CHN-061", not, "1/terms/rebind", why, &never);
    let foreign = RebindTerms { holder: cast::holder("mallory"), ..taken_over() };
    let token = open().rebind(&foreign, &cast::key("rebind"));
    let why = "The new holder is of another principal.";
    refuse("rebound-to-another-principal", good, "CHN-062", not, "2/terms/holder", why, &token);
    let token = closed.clone().rebind(&taken_over(), &cast::key("rebind"));
    let why = "Its grantor's consent was left out.";
    refuse("rebound-without-consent", asks, "CHN-063", not, "2/terms/consent", why, &token);
    let token = closed.clone().rebind(&with("mallory"), &cast::key("rebind"));
    let why = "Somebody else consented.";
    refuse("rebound-with-anothers-consent", asks, "CHN-063", not, "2/terms/consent", why, &token);
}
