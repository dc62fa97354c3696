//! Random chains, built by hand and signed with each holder's real key, whatever the hops say.

use std::collections::BTreeSet;

use countersign_forge::biscuit::Container;
use countersign_protocol::{
    contract::Rebind,
    digest::{ChainId, ContractHash},
    token::{GrantTerms, HopTerms, Link as CoreLink, UnverifiedToken},
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use crate::{
    cast,
    plain::{Capability, Link, Rule},
    vocabulary::{self, pick},
    widening,
};

/// From the grant's holder on.
pub(crate) const HOLDERS: [&str; 9] = [
    "agent-00", "agent-01", "agent-02", "agent-03", "agent-04", "agent-05", "agent-06", "agent-07",
    "agent-08",
];

/// What a holder does to its own rights before it hands them on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Same,
    /// Within them, as an honest holder does.
    Narrow,
    /// Beyond them, in one thing.
    Widen,
    /// One thing becomes what looks like it, or is next to it.
    Blur,
    /// Whatever it likes, within them or not.
    Replace,
}

/// A chain in all its forms.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// What each link says, from the grant on.
    pub(crate) links: Vec<Link>,
    /// The same in the core's types, whether or not the chain verifies.
    pub(crate) core: Vec<CoreLink>,
    pub(crate) token: UnverifiedToken,
    /// Whether no hop goes beyond the one before it, or one surely does; `None` where chance decided.
    pub(crate) honest: Option<bool>,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let honest = prop_oneof![1 => Just(Step::Same), 4 => Just(Step::Narrow)];
    let whatever = prop_oneof![
        1 => Just(Step::Same),
        6 => Just(Step::Narrow),
        2 => Just(Step::Widen),
        2 => Just(Step::Blur),
        1 => Just(Step::Replace)
    ];
    prop_oneof![
        2 => prop::collection::vec((honest, any::<u64>()), 0..=8),
        1 => prop::collection::vec((whatever, any::<u64>()), 0..=8),
    ]
}

impl Chain {
    pub(crate) fn random(grant: u64, steps: &[(Step, u64)]) -> Self {
        let mut links = vec![first(&mut StdRng::seed_from_u64(grant))];
        for (step, seed) in steps {
            let parent = links.last().unwrap();
            links.push(next(parent, *step, &mut StdRng::seed_from_u64(*seed)));
        }
        let did = |wanted| steps.iter().any(|(step, _)| *step == wanted);
        let honest = match (did(Step::Widen), did(Step::Replace) || did(Step::Blur)) {
            (true, _) => Some(false),
            (false, true) => None,
            (false, false) => Some(true),
        };
        Self::sign(links, honest)
    }

    /// Every hop is signed by the key of the holder before it.
    pub(crate) fn sign(links: Vec<Link>, honest: Option<bool>) -> Self {
        let rights: Vec<_> = links.iter().map(|link| link.to_core().unwrap()).collect();
        let grant =
            GrantTerms { holder: cast::holder(HOLDERS[0]), rights: rights[0].clone(), ..cast::grant_terms() };
        let mut container = Container::grant(&grant, &cast::key("capability"));
        for (place, rights) in rights.iter().enumerate().skip(1) {
            let (rights, contract) = (rights.clone(), contract(place));
            let terms = HopTerms { rights, contract, ..cast::hop_terms(HOLDERS[place], 1) };
            container = container.hop(&terms, &cast::key(HOLDERS[place - 1]));
        }
        let core = container.chain_ids().into_iter().zip(rights).enumerate();
        let core = core.map(|(place, (chain, rights))| CoreLink {
            chain_id: ChainId::from_bytes(chain),
            holder: cast::holder(HOLDERS[place]),
            rights,
            contract: (place > 0).then(|| contract(place)),
            rebind: Rebind::Never,
            rebound: None,
        });
        Self { core: core.collect(), token: UnverifiedToken::from_bytes(container.bytes()), links, honest }
    }
}

fn contract(place: usize) -> ContractHash {
    ContractHash::from_bytes([place as u8; 32])
}

pub(crate) fn first(rng: &mut StdRng) -> Link {
    Link {
        capabilities: (0..rng.gen_range(1..=3)).map(|_| vocabulary::capability(rng)).collect(),
        audiences: vocabulary::some(rng, &vocabulary::CALLEES.map(str::to_owned), 3),
        from: cast::NOW,
        until: cast::NOW + 100,
        delegations_left: 10,
    }
}

fn next(parent: &Link, step: Step, rng: &mut StdRng) -> Link {
    let mut link = Link { delegations_left: parent.delegations_left.saturating_sub(1), ..parent.clone() };
    match step {
        Step::Same => {}
        Step::Narrow => narrow(&mut link, rng),
        Step::Widen => {
            narrow(&mut link, rng);
            widening::widen(&mut link, parent, rng);
        }
        Step::Blur => {
            narrow(&mut link, rng);
            widening::blur(&mut link, rng);
        }
        Step::Replace => {
            let delegations_left = link.delegations_left;
            link = Link { delegations_left, ..first(rng) };
        }
    }
    link
}

fn narrow(link: &mut Link, rng: &mut StdRng) {
    let parents = link.capabilities.clone();
    let kept = rng.gen_range(1..=parents.len().min(2));
    link.capabilities = parents.choose_multiple(rng, kept).map(|parent| narrower(parent, rng)).collect();
    if rng.gen_ratio(1, 4) {
        link.audiences = vocabulary::some(rng, &Vec::from_iter(link.audiences.clone()), 4);
    }
    if rng.gen_ratio(1, 3) {
        link.from += rng.gen_range(0..=(link.until - link.from - 1).min(5));
        link.until -= rng.gen_range(0..=(link.until - link.from - 1).min(5));
    }
}

pub(crate) fn narrower(parent: &Capability, rng: &mut StdRng) -> Capability {
    let mut child = parent.clone();
    if rng.gen_ratio(1, 4) {
        child.actions = vocabulary::some(rng, &Vec::from_iter(parent.actions.clone()), 3);
    }
    if rng.gen_ratio(1, 4) {
        child.resource = narrower_pattern(&parent.resource, rng);
    }
    for rule in child.constraints.values_mut() {
        if rng.gen_ratio(1, 3) {
            *rule = narrower_rule(rule, rng);
        }
    }
    if rng.gen_ratio(1, 8) {
        let (name, rule) = (vocabulary::name(rng), vocabulary::rule(rng));
        child.constraints.entry(name).or_insert(rule);
    }
    child
}

fn narrower_pattern(parent: &str, rng: &mut StdRng) -> String {
    let (scheme, path) = parent.split_once(":/").unwrap();
    let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    let starred: Vec<usize> = (0..segments.len()).filter(|place| segments[*place] == "*").collect();
    if segments.last().unwrap() == "**" && rng.gen_ratio(2, 3) {
        segments.pop();
        let another = pick(rng, &["a", "b", "*", "%C3%A9"]).to_owned();
        let end: &[&str] = match rng.gen_range(0..3) {
            0 if segments.len() < 30 => &["**"],
            1 if segments.len() < 30 => &["*"],
            _ => &[],
        };
        segments.push(another);
        segments.extend(end.iter().map(|end| (*end).to_owned()));
    } else if let Some(place) = starred.choose(rng) {
        segments[*place] = vocabulary::word(rng, &vocabulary::SEGMENTS);
    }
    format!("{scheme}:/{}", segments.join("/"))
}

fn narrower_rule(parent: &Rule, rng: &mut StdRng) -> Rule {
    let deeper = |rng: &mut StdRng, path: &str| {
        let segment = pick(rng, &vocabulary::SEGMENTS);
        if path == "/" { format!("/{segment}") } else { format!("{path}/{segment}") }
    };
    match parent {
        Rule::TextIn(texts) => Rule::TextIn(vocabulary::some(rng, &Vec::from_iter(texts.clone()), 4)),
        Rule::IntIn(numbers) => {
            let kept = vocabulary::some(rng, &Vec::from_iter(numbers.clone()), 4);
            let one = *kept.first().unwrap();
            if rng.gen_ratio(1, 3) { Rule::IntRange(one, one) } else { Rule::IntIn(kept) }
        }
        Rule::IntRange(min, max) => {
            let inner = [rng.gen_range(*min..=*max), rng.gen_range(*min..=*max)];
            match rng.gen_range(0..3) {
                0 => Rule::IntIn(BTreeSet::from(inner)),
                1 => Rule::IntRange(*min, inner[0]),
                _ => Rule::IntRange(inner[0].min(inner[1]), inner[0].max(inner[1])),
            }
        }
        Rule::PathUnder(path) => Rule::PathUnder(deeper(rng, path)),
        Rule::IpIn(base, length) => {
            let longer = (*length + rng.gen_range(1..=8)).min(base.len() as u32 * 8);
            let mut base = base.clone();
            for place in *length..longer {
                base[place as usize / 8] |= u8::from(rng.gen_ratio(1, 2)) << (7 - place % 8);
            }
            vocabulary::block(base, longer)
        }
        Rule::UrlUnder { scheme, host, port, path } => {
            let narrow = host.strip_prefix("*.").map(|domain| match rng.gen_ratio(1, 2) {
                true => format!("*.b.{domain}"),
                false => format!("a.{domain}"),
            });
            let path = if rng.gen_ratio(1, 2) { deeper(rng, path) } else { path.clone() };
            let host = narrow.filter(|_| rng.gen_ratio(1, 2)).unwrap_or_else(|| host.clone());
            Rule::UrlUnder { scheme: scheme.clone(), host, port: *port, path }
        }
    }
}
