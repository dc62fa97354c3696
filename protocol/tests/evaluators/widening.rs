//! Hops that go beyond the one before them, or nearly.

use std::collections::BTreeMap;

use rand::{Rng, rngs::StdRng, seq::SliceRandom as _};

use crate::{
    plain::{Link, Rule},
    requests, vocabulary,
};

/// In one thing that surely goes beyond the parent.
pub(crate) fn widen(link: &mut Link, parent: &Link, rng: &mut StdRng) {
    let absent = |all: &[&str], has: &dyn Fn(&str) -> bool| {
        all.iter().find(|one| !has(one)).map(|one| (*one).to_owned())
    };
    let place = rng.gen_range(0..link.capabilities.len());
    match rng.gen_range(0..6) {
        0 => link.until = parent.until + 1,
        1 => link.from = parent.from - 1,
        2 => link.audiences.extend(absent(&vocabulary::CALLEES, &|callee| parent.audiences.contains(callee))),
        3 => {
            let known = |action: &str| parent.capabilities.iter().any(|one| one.actions.contains(action));
            match absent(&vocabulary::ACTIONS, &known) {
                Some(action) => drop(link.capabilities[place].actions.insert(action)),
                None => link.delegations_left = parent.delegations_left,
            }
        }
        // Without a constraint, where every parent has one.
        4 if parent.capabilities.iter().all(|one| !one.constraints.is_empty()) => {
            link.capabilities[place].constraints = BTreeMap::new();
        }
        4 => link.delegations_left = parent.delegations_left,
        _ => link.capabilities[place].resource = "other:/**".to_owned(),
    }
}

/// Into what looks like it, or is next to it: the step over which a careless comparison stumbles.
pub(crate) fn blur(link: &mut Link, rng: &mut StdRng) {
    let place = rng.gen_range(0..link.capabilities.len());
    let capability = &mut link.capabilities[place];
    let mut rules: Vec<&mut Rule> = capability.constraints.values_mut().collect();
    if let Some(rule) = rules.choose_mut(rng) {
        return **rule = blurred(rule, rng);
    }
    let (scheme, path) = capability.resource.split_once(":/").unwrap();
    let (literals, stars) = path.split_at(path.find('*').unwrap_or(path.len()));
    let literals = match literals.trim_end_matches('/') {
        "" => "a".to_owned(),
        literals => requests::sibling(&format!("/{literals}"), rng)[1..].to_owned(),
    };
    capability.resource = match stars {
        "" => format!("{scheme}:/{literals}"),
        stars => format!("{scheme}:/{literals}/{stars}"),
    };
}

fn blurred(rule: &Rule, rng: &mut StdRng) -> Rule {
    match rule.clone() {
        Rule::TextIn(mut texts) => {
            let longer = format!("{} ", texts.first().unwrap());
            texts.insert(longer);
            Rule::TextIn(texts)
        }
        Rule::IntIn(mut numbers) => {
            numbers.insert(numbers.last().unwrap().saturating_add(1));
            Rule::IntIn(numbers)
        }
        Rule::IntRange(min, max) => match rng.gen_ratio(1, 2) {
            true => Rule::IntRange(min.saturating_sub(1), max),
            false => Rule::IntRange(min, max.saturating_add(1)),
        },
        Rule::PathUnder(path) => Rule::PathUnder(requests::sibling(&path, rng)),
        Rule::IpIn(base, length) => vocabulary::block(base, length.saturating_sub(1)),
        Rule::UrlUnder { scheme, host, port, path } => match rng.gen_range(0..4) {
            0 => Rule::UrlUnder { scheme, host, port: port % 65_535 + 1, path },
            1 => Rule::UrlUnder { scheme, host, port, path: requests::sibling(&path, rng) },
            2 => Rule::UrlUnder { scheme: "http".to_owned(), host, port, path },
            _ => {
                let host = if host.starts_with("*.") { "*.example.com" } else { "badexample.com" };
                Rule::UrlUnder { scheme, host: host.to_owned(), port, path }
            }
        },
    }
}
