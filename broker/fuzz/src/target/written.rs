//! What people write in TOML: rights, and a broker's configuration.

use std::{fmt::Write as _, path::Path};

use countersign_broker::config::Config;
use countersign_protocol::settings::{self, Problems, Scope};

use super::{Seed, Verdict, seeds_of};
use crate::memory;

/// What is read is written so that it reads as the same.
pub(super) fn settings(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let read = |text: &str| settings::read("rights.toml", text, Scope::read);
    match memory::in_proportion(room(text), || read(text)) {
        Ok(scope) => {
            let mut written = String::new();
            scope.write("", &mut written).unwrap();
            assert_eq!(read(&written).as_ref(), Ok(&scope), "{written}");
            Verdict::Accepted
        }
        Err(problems) => check_problems(&problems, text),
    }
}

/// A policy has one text, which states the same policy again.
pub(super) fn config(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let read = |text: &str| Config::parse("broker.toml", text, Path::new("/etc/countersign"));
    match memory::in_proportion(room(text), || read(text)) {
        Ok(config) => {
            let mut again = format!("trust_domain = \"{}\"\n{PLACES}", config.trust_domain);
            write!(again, "{}", config.policy.text()).unwrap();
            let again = read(&again).expect("a policy's text can be read");
            assert_eq!(again.policy.text(), config.policy.text());
            assert_eq!(again.policy.policy().digest, config.policy.policy().digest);
            assert!(!config.key_dir.starts_with(&config.data_dir), "a copy of the data holds the keys");
            Verdict::Accepted
        }
        Err(problems) => check_problems(&problems, text),
    }
}

const PLACES: &str =
    "data_dir = \"d\"\nkey_dir = \"k\"\nlisten = \"[::1]:1\"\nenrolment_listen = \"[::1]:2\"\n";

/// A parser of TOML makes more of a byte than our own decoders do, and most of a few brackets: it goes
/// down as many levels as it ever goes, and tells of each.
fn room(text: &str) -> usize {
    4_096 + 16 * text.len()
}

/// There is one, and each is about a line that there is.
fn check_problems(problems: &Problems, text: &str) -> Verdict {
    assert!(!problems.list().is_empty());
    let lines = text.split('\n').count();
    for problem in problems.list() {
        assert!((1..=lines).contains(&problem.line), "line {} of {lines}: {problem}", problem.line);
        assert!(!problem.wrong.is_empty() && !problem.expected.is_empty());
    }
    Verdict::Refused
}

const SCOPE: &str = r#"audiences = ["spiffe://acme.example/service/files"]
delegations_left = 2
budget = { unit = "calls", ceiling = 500, per_call = 1, window = { ceiling = 20, length = "1m" } }

[[capability]]
resource = "file:/data/**"
actions = ["read"]

[[capability]]
resource = "web:/*"
actions = ["http:get", "http:post"]
constraints = [
    { argument = "bytes", range = { min = 1, max = 1024 } },
    { argument = "city", one_of = ["Köln", "Bonn"] },
    { argument = "mode", equals = 7 },
    { argument = "path", path_prefix = "/data" },
    { argument = "peer", cidr = "10.1.0.0/16" },
    { argument = "url", url = "https://*.example.com:8443/v1" },
]
"#;

pub(super) fn settings_seeds() -> Vec<Seed> {
    let wrong = SCOPE.replace("per_call = 1", "per_call = 501").replace("/data/**", "/data/../etc");
    let texts = [
        ("whole", SCOPE.to_owned()),
        ("wrong", wrong),
        ("broken", "a = 1\nb = \nc = \"x".to_owned()),
        // What is wrong is quoted: cut where a character ends.
        ("wide", SCOPE.replace("/data/**", &"€".repeat(100))),
        // A reader that goes into each level goes deep.
        ("deep-list", format!("a = {}", "[".repeat(8_000))),
        ("deep-table", format!("a = {}", "{a=".repeat(4_000))),
        ("deep-key", format!("a{} = 1", ".a".repeat(4_000))),
    ];
    seeds_of(texts.map(|(name, text)| (name.to_owned(), text.into_bytes())))
}

pub(super) fn config_seeds() -> Vec<Seed> {
    let admin = "spiffe://acme.example/human/root".parse().unwrap();
    let template = Config::template(&countersign_forge::domain(), &admin, None);
    let rule = "\n[[grant_rule]]\noriginator = \"spiffe://acme.example/human/alice\"\n\
                principal = \"spiffe://acme.example/agent/planner\"\nlifetime = \"8h\"\n";
    let scope = SCOPE.replace("[[capability]]", "[[grant_rule.capability]]");
    let whole = format!("{template}{rule}{scope}");
    let foreign = whole.replace("acme.example/agent", "evil.example/agent");
    let texts = [("template", template), ("whole", whole), ("foreign", foreign)];
    seeds_of(texts.map(|(name, text)| (name.to_owned(), text.into_bytes())))
}
