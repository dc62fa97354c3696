//! What a run has met. A property over cases that never come up says nothing, so each of these must.

use std::{cell::RefCell, collections::BTreeMap};

use crate::{
    brute::{self, No},
    plain::{Capability, Link, Request, Rule, Value},
};

#[derive(Default)]
pub(crate) struct Tally(RefCell<BTreeMap<String, u64>>);

const KINDS: [&str; 8] = [
    "text_in",
    "int_in",
    "int_range",
    "path_under",
    "ip_in, version 4",
    "ip_in, version 6",
    "url_under, one host",
    "url_under, all hosts beneath",
];
const PATTERNS: [&str; 3] = ["pattern of literals", "pattern with *", "pattern with **"];
const OTHERS: [&str; 13] = [
    "answer: yes",
    "answer: no, time",
    "answer: no, audience",
    "answer: no, capability",
    "not a request",
    "chain that verifies",
    "chain that is refused",
    "refused chain whose leaf alone would allow",
    "audit: Ok(true)",
    "audit: Ok(false)",
    "argument that is absent",
    "argument of another type",
    "action that is not listed",
];

impl Tally {
    pub(crate) fn count(&self, what: impl Into<String>) {
        *self.0.borrow_mut().entry(what.into()).or_default() += 1;
    }

    fn of(&self, what: &str) -> u64 {
        self.0.borrow().get(what).copied().unwrap_or_default()
    }

    pub(crate) fn answer(&self, answer: Result<(), No>) {
        self.count(match answer {
            Ok(()) => "answer: yes",
            Err(No::Time) => "answer: no, time",
            Err(No::Audience) => "answer: no, audience",
            Err(No::Capability) => "answer: no, capability",
        });
    }

    /// What each link's capabilities were asked, and what came of it.
    pub(crate) fn questions(&self, links: &[Link], request: &Request) {
        for capability in links.iter().flat_map(|link| &link.capabilities) {
            if !capability.actions.contains(&request.action) {
                self.count("action that is not listed");
                continue;
            }
            let covers = brute::covers(capability, request);
            self.count(said(pattern(capability), covers));
            for (name, rule) in capability.constraints.iter().filter(|_| covers) {
                match request.arguments.get(name) {
                    None => self.count("argument that is absent"),
                    Some(value) if !same_type(rule, value) => self.count("argument of another type"),
                    Some(value) => self.count(said(rule.kind(), brute::holds(rule, value))),
                }
            }
        }
    }

    /// Fails where a kind of constraint or pattern was never met, or never held, or always.
    pub(crate) fn check_kinds(&self) {
        let both = |what: &&str| [said(what, true), said(what, false)];
        self.require(KINDS.iter().chain(&PATTERNS).flat_map(both));
    }

    fn require(&self, all: impl Iterator<Item = String>) {
        let never: Vec<String> = all.filter(|what| self.of(what) == 0).collect();
        assert!(never.is_empty(), "never met: {never:?}");
    }

    /// Prints everything, and fails where something was never met or too few were allowed.
    pub(crate) fn check(&self) {
        for (what, times) in self.0.borrow().iter() {
            println!("{times:>9}  {what}");
        }
        self.check_kinds();
        self.require((0..=8).map(depth).chain(OTHERS.map(str::to_owned)));
        let yes = self.of("answer: yes");
        let no: u64 =
            ["time", "audience", "capability"].map(|why| self.of(&format!("answer: no, {why}"))).iter().sum();
        assert!(yes * 10 >= yes + no && no * 10 >= yes + no, "{yes} were allowed and {no} denied");
    }
}

pub(crate) fn depth(hops: usize) -> String {
    format!("chain of {hops} hops")
}

fn said(what: &str, holds: bool) -> String {
    format!("{what}: {}", if holds { "holds" } else { "does not hold" })
}

fn pattern(capability: &Capability) -> &'static str {
    match &capability.resource {
        text if text.ends_with("**") => PATTERNS[2],
        text if text.contains('*') => PATTERNS[1],
        _ => PATTERNS[0],
    }
}

fn same_type(rule: &Rule, value: &Value) -> bool {
    matches!(
        (rule, value),
        (Rule::TextIn(_), Value::Text(_))
            | (Rule::IntIn(_) | Rule::IntRange(..), Value::Int(_))
            | (Rule::PathUnder(_), Value::Path(_))
            | (Rule::IpIn(..), Value::Ip(_))
            | (Rule::UrlUnder { .. }, Value::Url(_))
    )
}
