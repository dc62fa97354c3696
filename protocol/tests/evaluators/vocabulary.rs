//! The words that chains and requests are made of: few enough to meet, and each beside one that only
//! looks like it.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, rngs::StdRng, seq::SliceRandom as _};

use crate::plain::{Capability, Rule, Value};

pub(crate) const CALLEES: [&str; 4] = [
    "spiffe://acme.example/service/files",
    "spiffe://acme.example/service/file",
    "spiffe://acme.example/service/files/eu",
    "spiffe://acme.example/agent/files",
];
pub(crate) const ACTIONS: [&str; 5] = ["read", "write", "rea", "read.all", "list"];
const SCHEMES: [&str; 3] = ["file", "files", "db"];
pub(crate) const SEGMENTS: [&str; 9] = ["a", "b", "ab", "A", "a.", "...", "%C3%A9", "e%CC%81", "a%20b"];
const NAMES: [&str; 4] = ["n", "m", "n1", "path"];
const TEXTS: [&str; 10] =
    ["x", "y", "X", "x ", "xx", "é", "e\u{301}", "x\u{0}", "$x || true", "\") ; allow if true"];
const NUMBERS: [i64; 9] = [i64::MIN, i64::MIN + 1, -1, 0, 1, 2, 10, i64::MAX - 1, i64::MAX];
const HOSTS: [&str; 8] = [
    "example.com",
    "a.example.com",
    "a.b.example.com",
    "badexample.com",
    "xn--mnchen-3ya.example.com",
    "10.0.0.1",
    "[2001:db8::1]",
    "localhost",
];
const PORTS: [u32; 7] = [1, 79, 80, 443, 444, 8443, 65_535];
const ADDRESSES: [&[u8]; 8] = [
    &[10, 0, 0, 0],
    &[10, 0, 0, 1],
    &[10, 0, 1, 255],
    &[9, 255, 255, 255],
    &[255, 255, 255, 255],
    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1],
    &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0x20, 1, 0x0d, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];
const LENGTHS: [u32; 9] = [0, 1, 7, 8, 9, 24, 31, 32, 128];

pub(crate) fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    *from.choose(rng).unwrap()
}

pub(crate) fn word(rng: &mut StdRng, from: &[&str]) -> String {
    pick(rng, from).to_owned()
}

pub(crate) fn some<T: Ord + Clone>(rng: &mut StdRng, from: &[T], most: usize) -> BTreeSet<T> {
    let amount = rng.gen_range(1..=most.min(from.len()));
    from.choose_multiple(rng, amount).cloned().collect()
}

pub(crate) fn name(rng: &mut StdRng) -> String {
    word(rng, &NAMES)
}

pub(crate) fn segments(rng: &mut StdRng, most: usize) -> Vec<String> {
    (0..rng.gen_range(1..=most)).map(|_| word(rng, &SEGMENTS)).collect()
}

pub(crate) fn resource(rng: &mut StdRng) -> String {
    let most = if rng.gen_ratio(1, 40) { 32 } else { 4 };
    format!("{}:/{}", pick(rng, &SCHEMES), segments(rng, most).join("/"))
}

pub(crate) fn path(rng: &mut StdRng) -> String {
    if rng.gen_ratio(1, 6) { "/".to_owned() } else { format!("/{}", segments(rng, 3).join("/")) }
}

fn pattern(rng: &mut StdRng) -> String {
    let stars = |rng: &mut StdRng, segment| if rng.gen_ratio(1, 3) { "*".to_owned() } else { segment };
    let mut segments: Vec<String> = segments(rng, 3).into_iter().map(|segment| stars(rng, segment)).collect();
    match rng.gen_range(0..6) {
        0 => segments = vec!["**".to_owned()],
        1..=3 => segments.push("**".to_owned()),
        _ => {}
    }
    format!("{}:/{}", pick(rng, &SCHEMES[..2]), segments.join("/"))
}

fn host_pattern(rng: &mut StdRng) -> String {
    match rng.gen_ratio(1, 2) {
        true => pick(rng, &["*.example.com", "*.b.example.com", "*.badexample.com"]).to_owned(),
        false => word(rng, &HOSTS),
    }
}

/// The first bits of an address, and how many they are.
pub(crate) fn block(mut base: Vec<u8>, length: u32) -> Rule {
    let length = length.min(base.len() as u32 * 8);
    for place in length..base.len() as u32 * 8 {
        base[place as usize / 8] &= !(1 << (7 - place % 8));
    }
    Rule::IpIn(base, length)
}

pub(crate) fn rule(rng: &mut StdRng) -> Rule {
    match rng.gen_range(0..7) {
        0 => Rule::TextIn(some(rng, &TEXTS.map(str::to_owned), 4)),
        1 => Rule::IntIn(some(rng, &NUMBERS, 5)),
        2 => {
            let ends = [pick(rng, &NUMBERS), pick(rng, &NUMBERS)];
            Rule::IntRange(ends[0].min(ends[1]), ends[0].max(ends[1]))
        }
        3 => Rule::PathUnder(path(rng)),
        4 => block(pick(rng, &ADDRESSES).to_vec(), pick(rng, &LENGTHS)),
        _ => Rule::UrlUnder {
            scheme: word(rng, &["https", "http"]),
            host: host_pattern(rng),
            port: pick(rng, &PORTS),
            path: path(rng),
        },
    }
}

pub(crate) fn capability(rng: &mut StdRng) -> Capability {
    let amount = pick(rng, &[0, 1, 1, 2, 3]);
    let constraints: BTreeMap<String, Rule> = (0..amount).map(|_| (name(rng), rule(rng))).collect();
    Capability { resource: pattern(rng), actions: some(rng, &ACTIONS.map(str::to_owned), 3), constraints }
}

pub(crate) fn url(rng: &mut StdRng) -> String {
    let (scheme, host) = (word(rng, &["https", "http"]), word(rng, &HOSTS));
    let path = path(rng);
    write_url(rng, &scheme, &host, pick_port(&scheme), &path)
}

fn pick_port(scheme: &str) -> u32 {
    if scheme == "http" { 80 } else { 443 }
}

/// In normal form, perhaps with a slash at its end and a query.
pub(crate) fn write_url(rng: &mut StdRng, scheme: &str, host: &str, port: u32, path: &str) -> String {
    let port = if port == pick_port(scheme) { String::new() } else { format!(":{port}") };
    let slash = if path != "/" && rng.gen_ratio(1, 4) { "/" } else { "" };
    let query = pick(rng, &["", "", "?", "?q=/../x"]);
    format!("{scheme}://{host}{port}{path}{slash}{query}")
}

pub(crate) fn value(rng: &mut StdRng) -> Value {
    match rng.gen_range(0..5) {
        0 => Value::Text(word(rng, &TEXTS)),
        1 => Value::Int(pick(rng, &NUMBERS)),
        2 => Value::Path(path(rng)),
        3 => Value::Ip(pick(rng, &ADDRESSES).to_vec()),
        _ => Value::Url(url(rng)),
    }
}
