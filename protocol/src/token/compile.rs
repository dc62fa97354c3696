//! Terms → the one block that says them (TOK-010).
//!
//! A verifier compiles a block's terms again and compares bytes. So a block holds what its terms
//! say and nothing else: no rule, no second fact, no check that was left out, no text that became
//! Datalog.

use super::{
    datalog::{Block, Check, Expression, Operator, Predicate, Query, Term},
    terms::{GrantTerms, HopTerms, RebindTerms},
};
use crate::{
    capability::{Capability, Constraint, Rights, Rule, UrlPrefix},
    payload::Payload,
};

/// Biscuit's schema version of a block that uses nothing newer.
const AUTHORITY_VERSION: u64 = 3;
/// Third-party blocks came with Datalog 3.2.
const THIRD_PARTY_VERSION: u64 = 5;

/// The fact that only our verifier injects, so that a plain Biscuit verifier refuses (TOK-012).
pub(super) const VERIFIED: &str = "countersign_verified";

/// The fact of a rebind, and so the first symbol of its block.
pub(super) const REBIND: &str = "rebind";

/// The authority block.
pub(super) fn authority_block(terms: &GrantTerms) -> Vec<u8> {
    let mut checks = vec![Check(vec![Query::default().with(VERIFIED, [var("chain")])])];
    checks.extend(rights_checks(&terms.rights));
    let facts = vec![predicate("grant", [Term::Bytes(terms.to_bytes())])];
    Block { version: AUTHORITY_VERSION, facts, checks }.to_bytes()
}

/// A hop's block.
pub(super) fn hop_block(terms: &HopTerms) -> Vec<u8> {
    let facts = vec![predicate("hop", [Term::Bytes(terms.to_bytes())])];
    Block { version: THIRD_PARTY_VERSION, facts, checks: rights_checks(&terms.rights) }.to_bytes()
}

/// A rebind's block: the hop before it has the checks already.
pub(super) fn rebind_block(terms: &RebindTerms) -> Vec<u8> {
    let facts = vec![predicate(REBIND, [Term::Bytes(terms.to_bytes())])];
    Block { version: THIRD_PARTY_VERSION, facts, checks: Vec::new() }.to_bytes()
}

pub(super) fn rights_checks(rights: &Rights) -> Vec<Check> {
    let [not_before, not_after] =
        [rights.not_before, rights.not_after].map(|at| Term::Int(at.as_millis() as i64));
    let time = Query::default()
        .with("time_ms", [var("now")])
        .where_(var("now"), Operator::GreaterOrEqual, not_before)
        .where_(var("now"), Operator::Less, not_after);
    let audiences = rights.audiences.iter().map(|audience| text(audience.as_str())).collect();
    let audience = Query::default().with("audience", [var("callee")]).where_(
        Term::Set(audiences),
        Operator::Contains,
        var("callee"),
    );
    let capabilities = rights.capabilities.iter().map(capability_query).collect();
    vec![Check(vec![time]), Check(vec![audience]), Check(capabilities)]
}

fn capability_query(capability: &Capability) -> Query {
    let actions = capability.actions.iter().map(|action| text(action.as_str())).collect();
    let mut query = Query::default().with("action", [var("action")]).where_(
        Term::Set(actions),
        Operator::Contains,
        var("action"),
    );
    let pattern = capability.resource.parts();
    query = query.with("scheme", [text(pattern.scheme)]);
    for (position, segment) in pattern.segments.iter().enumerate() {
        if let Some(literal) = segment {
            query = query.with("segment", [Term::Int(position as i64), text(literal)]);
        }
    }
    let depth = Term::Int(pattern.segments.len() as i64);
    query = match pattern.open {
        true => query.with("depth", [var("depth")]).where_(var("depth"), Operator::Greater, depth),
        false => query.with("depth", [depth]),
    };
    let numbered = capability.constraints.iter().enumerate();
    numbered.fold(query, |query, (number, constraint)| constrain(query, number, constraint))
}

fn constrain(query: Query, number: usize, constraint: &Constraint) -> Query {
    let name = text(constraint.argument.as_str());
    let value = var(&format!("x{number}"));
    match &constraint.rule {
        Rule::TextIn(choices) => {
            let choices = Term::Set(choices.iter().map(|choice| text(choice.as_str())).collect());
            query.with("text", [name, value.clone()]).where_(choices, Operator::Contains, value)
        }
        Rule::IntIn(choices) => {
            let choices = Term::Set(choices.as_slice().iter().copied().map(Term::Int).collect());
            query.with("int", [name, value.clone()]).where_(choices, Operator::Contains, value)
        }
        Rule::IntRange(range) => query
            .with("int", [name, value.clone()])
            .where_(value.clone(), Operator::GreaterOrEqual, Term::Int(range.min))
            .where_(value, Operator::LessOrEqual, Term::Int(range.max)),
        Rule::PathUnder(prefix) => query.with("path", [name, value.clone()]).where_(
            value,
            Operator::StartsWith,
            text(&prefix.closed()),
        ),
        Rule::IpIn(block) => {
            query.with("ip", [name, value.clone()]).where_(value, Operator::StartsWith, text(&block.bits()))
        }
        Rule::UrlUnder(prefix) => constrain_url(query, number, name, prefix),
    }
}

fn constrain_url(query: Query, number: usize, name: Term, prefix: &UrlPrefix) -> Query {
    let (host, path) = (var(&format!("x{number}")), var(&format!("y{number}")));
    let (scheme, port) = (text(prefix.scheme.as_str()), Term::Int(i64::from(prefix.port)));
    let query = match prefix.host.suffix() {
        Some(suffix) => query.with("url", [name, scheme, host.clone(), port, path.clone()]).where_(
            host,
            Operator::EndsWith,
            text(suffix),
        ),
        None => query.with("url", [name, scheme, text(prefix.host.as_str()), port, path.clone()]),
    };
    query.where_(path, Operator::StartsWith, text(&prefix.path.closed()))
}

impl Query {
    fn with<const N: usize>(mut self, name: &'static str, terms: [Term; N]) -> Self {
        self.predicates.push(predicate(name, terms));
        self
    }

    fn where_(mut self, left: Term, operator: Operator, right: Term) -> Self {
        self.expressions.push(Expression { left, operator, right });
        self
    }
}

fn predicate<const N: usize>(name: &'static str, terms: [Term; N]) -> Predicate {
    Predicate { name, terms: terms.into() }
}

fn var(name: &str) -> Term {
    Term::Var(name.to_owned())
}

fn text(text: &str) -> Term {
    Term::Str(text.to_owned())
}
