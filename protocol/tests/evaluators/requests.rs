//! Random requests, drawn near the boundaries of what a chain allows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{Rng, SeedableRng as _, rngs::StdRng};

use crate::{
    plain::{Capability, Link, Request, Rule, Value},
    vocabulary::{self, pick},
};

/// Where a request is aimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Within a capability of the leaf.
    Within,
    /// The same, but for one thing that is just outside.
    Beside,
    /// Within a capability of any link.
    Above,
    /// Within, but for one text that is not spelled the one way.
    Misspelled,
    /// Anything.
    Anywhere,
}

pub(crate) fn aims() -> impl Strategy<Value = Aim> {
    prop_oneof![
        5 => Just(Aim::Within),
        5 => Just(Aim::Beside),
        2 => Just(Aim::Above),
        1 => Just(Aim::Misspelled),
        1 => Just(Aim::Anywhere),
    ]
}

/// A request and the time it is made at.
pub(crate) fn random(links: &[Link], aim: Aim, seed: u64) -> (Request, u64) {
    let rng = &mut StdRng::seed_from_u64(seed);
    let leaf = links.last().unwrap();
    let link = match aim {
        Aim::Above => &links[rng.gen_range(0..links.len())],
        _ => leaf,
    };
    let capability = &link.capabilities[rng.gen_range(0..link.capabilities.len())];
    let mut request = within(capability, rng);
    let callees: Vec<&String> = leaf.audiences.iter().collect();
    request.callee = pick(rng, &callees).clone();
    let mut now = rng.gen_range(leaf.from..leaf.until.max(leaf.from + 1));
    if rng.gen_ratio(1, 8) {
        let link = &links[rng.gen_range(0..links.len())];
        now = pick(rng, &[link.from - 1, link.from, link.until - 1, link.until, link.until + 1]);
    }
    match aim {
        Aim::Within | Aim::Above => {}
        Aim::Beside => beside(&mut request, capability, rng),
        Aim::Misspelled => misspell(&mut request, rng),
        Aim::Anywhere => {
            request.resource = vocabulary::resource(rng);
            request.action = vocabulary::word(rng, &vocabulary::ACTIONS);
            request.arguments = (0..3).map(|_| (vocabulary::name(rng), vocabulary::value(rng))).collect();
        }
    }
    (request, now)
}

fn within(capability: &Capability, rng: &mut StdRng) -> Request {
    let (scheme, path) = capability.resource.split_once(":/").unwrap();
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "*" => segments.push(vocabulary::word(rng, &vocabulary::SEGMENTS)),
            "**" => {
                let most = pick(rng, &[1, 3]);
                segments.extend(vocabulary::segments(rng, most));
            }
            literal => segments.push(literal.to_owned()),
        }
    }
    segments.truncate(32);
    let actions: Vec<&String> = capability.actions.iter().collect();
    let mut arguments: BTreeMap<String, Value> = BTreeMap::new();
    if rng.gen_ratio(1, 3) {
        arguments.insert(vocabulary::name(rng), vocabulary::value(rng));
    }
    arguments.extend(capability.constraints.iter().map(|(name, rule)| (name.clone(), inside(rule, rng))));
    Request {
        callee: String::new(),
        action: pick(rng, &actions).clone(),
        resource: format!("{scheme}:/{}", segments.join("/")),
        arguments,
    }
}

fn beneath(path: &str, rng: &mut StdRng) -> String {
    match (rng.gen_range(0..3), path) {
        (0, _) => path.to_owned(),
        (_, "/") => format!("/{}", vocabulary::segments(rng, 2).join("/")),
        _ => format!("{path}/{}", vocabulary::segments(rng, 2).join("/")),
    }
}

/// A value that the rule holds, at its edges more often than not.
pub(crate) fn inside(rule: &Rule, rng: &mut StdRng) -> Value {
    match rule {
        Rule::TextIn(texts) => Value::Text(pick(rng, &Vec::from_iter(texts)).clone()),
        Rule::IntIn(numbers) => Value::Int(*pick(rng, &Vec::from_iter(numbers))),
        Rule::IntRange(min, max) => {
            let middle = rng.gen_range(*min..=*max);
            Value::Int(pick(rng, &[*min, *max, middle]))
        }
        Rule::PathUnder(path) => Value::Path(beneath(path, rng)),
        Rule::IpIn(base, length) => {
            let mut address = base.clone();
            let fill = rng.gen_range(0..3);
            for place in *length..base.len() as u32 * 8 {
                let one = fill == 1 || fill == 2 && rng.gen_ratio(1, 2);
                address[place as usize / 8] |= u8::from(one) << (7 - place % 8);
            }
            Value::Ip(address)
        }
        Rule::UrlUnder { scheme, host, port, path } => {
            let host = host.strip_prefix("*.").map_or(host.clone(), |domain| {
                format!("{}.{domain}", pick(rng, &["a", "b", "a.b", "xn--mnchen-3ya", "_"]))
            });
            let path = beneath(path, rng);
            Value::Url(vocabulary::write_url(rng, scheme, &host, *port, &path))
        }
    }
}

/// One thing just outside.
fn beside(request: &mut Request, capability: &Capability, rng: &mut StdRng) {
    let constraints: Vec<(&String, &Rule)> = capability.constraints.iter().collect();
    if !constraints.is_empty() && rng.gen_ratio(3, 5) {
        let (name, rule) = pick(rng, &constraints);
        match rng.gen_range(0..8) {
            0 => drop(request.arguments.remove(name)),
            1 => drop(request.arguments.insert(name.clone(), vocabulary::value(rng))),
            _ => drop(request.arguments.insert(name.clone(), outside(rule, rng))),
        }
        return;
    }
    match rng.gen_range(0..4) {
        0 => request.callee = vocabulary::word(rng, &vocabulary::CALLEES),
        1 => request.action = vocabulary::word(rng, &vocabulary::ACTIONS),
        _ => {
            let (scheme, path) = request.resource.split_once(":/").unwrap();
            let path = sibling(&format!("/{path}"), rng);
            let scheme = if rng.gen_ratio(1, 8) { "files" } else { scheme };
            request.resource = format!("{scheme}:{}", if path == "/" { "/a" } else { &path });
        }
    }
}

/// A path that looks like this one, or lies around it.
pub(crate) fn sibling(path: &str, rng: &mut StdRng) -> String {
    let mut segments: Vec<String> = path[1..].split('/').map(str::to_owned).collect();
    let place = rng.gen_range(0..segments.len());
    match rng.gen_range(0..5) {
        0 if segments.len() > 1 => drop(segments.pop()),
        1 if segments.len() < 32 && path != "/" => segments.push("a".to_owned()),
        2 if segments.len() > 1 => drop(segments.remove(place)),
        3 => segments[place].push('b'),
        _ => segments[place] = vocabulary::word(rng, &vocabulary::SEGMENTS),
    }
    format!("/{}", segments.join("/"))
}

/// A value that the rule just fails to hold, where its type has one.
pub(crate) fn outside(rule: &Rule, rng: &mut StdRng) -> Value {
    match rule {
        Rule::TextIn(texts) => {
            let text = pick(rng, &Vec::from_iter(texts)).clone();
            Value::Text(match rng.gen_range(0..3) {
                0 => format!("{text} "),
                1 => text.to_uppercase(),
                _ => text.repeat(2),
            })
        }
        Rule::IntIn(numbers) => {
            let number = *pick(rng, &Vec::from_iter(numbers));
            Value::Int(number.saturating_add(pick(rng, &[-1, 1])))
        }
        Rule::IntRange(min, max) => Value::Int(pick(rng, &[min.saturating_sub(1), max.saturating_add(1)])),
        Rule::PathUnder(path) => Value::Path(sibling(path, rng)),
        Rule::IpIn(base, length) => {
            let mut address = base.clone();
            let place = length.saturating_sub(rng.gen_range(1..=2));
            address[place as usize / 8] ^= 1 << (7 - place % 8);
            let other = vec![0; if address.len() == 4 { 16 } else { 4 }];
            Value::Ip(if rng.gen_ratio(1, 8) { other } else { address })
        }
        Rule::UrlUnder { scheme, host, port, path } => {
            let domain = host.strip_prefix("*.").unwrap_or(host);
            let inner = if domain == host { host.clone() } else { format!("a.{domain}") };
            let (scheme, host, port, path) = match rng.gen_range(0..5) {
                0 => (scheme.as_str(), domain.to_owned(), *port, path.clone()),
                1 => (scheme.as_str(), format!("bad{domain}"), *port, path.clone()),
                2 => (pick(rng, &["http", "https"]), inner, *port, path.clone()),
                3 => (scheme.as_str(), inner, port % 65_535 + 1, path.clone()),
                _ => (scheme.as_str(), inner, *port, sibling(path, rng)),
            };
            Value::Url(vocabulary::write_url(rng, scheme, &host, port, &path))
        }
    }
}

/// The same thing to a careless reader, in another spelling.
fn misspell(request: &mut Request, rng: &mut StdRng) {
    let path = |text: &str, rng: &mut StdRng| {
        let (from, to) = pick(
            rng,
            &[
                ("/a", "//a"),
                ("/", "/./"),
                ("/", "/b/../"),
                ("a", "%61"),
                ("/", "\\"),
                ("%C3%A9", "é"),
                ("%C3", "%c3"),
                ("a", "а"),
                ("/", "%2F"),
            ],
        );
        if text.contains(from) { text.replacen(from, to, 1) } else { format!("{text}/") }
    };
    let values: Vec<&mut Value> = request.arguments.values_mut().collect();
    for value in values {
        match value {
            Value::Path(text) => return *text = path(text, rng),
            Value::Url(url) => {
                let (from, to) = pick(
                    rng,
                    &[
                        ("://", "://user@"),
                        ("https", "HTTPS"),
                        ("example", "EXAMPLE"),
                        (".com", ".com."),
                        ("//", "//."),
                        ("example.", "example.."),
                        ("[", "[::ffff:"),
                        ("10.0.0.1", "0xa000001"),
                    ],
                );
                return *url = if url.contains(from) { url.replacen(from, to, 1) } else { path(url, rng) };
            }
            Value::Ip(bytes) if bytes.len() == 4 => {
                return *bytes = [&[0; 10][..], &[0xff, 0xff], &bytes[..]].concat();
            }
            _ => {}
        }
    }
    request.resource = path(&request.resource, rng);
}
