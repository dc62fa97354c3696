//! The few shapes of Biscuit Datalog that the profile uses, and their one encoding.
//!
//! A block is facts and checks; there are no rules, scopes, contexts or public keys. The bytes equal
//! what biscuit-auth's own builder makes of the same text, which `tests` show; encoding them here
//! lets a verifier compile a block again and compare, without signing anything.

use crate::payload::Writer;

/// A term of a fact, predicate or expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Var(String),
    Int(i64),
    Str(String),
    Bytes(Vec<u8>),
    /// Strings or numbers.
    Set(Vec<Term>),
}

/// `name(term, …)`.
#[derive(Clone, Debug)]
pub(super) struct Predicate {
    pub(super) name: &'static str,
    pub(super) terms: Vec<Term>,
}

/// The binary operators in use, with Biscuit's numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    Less = 0,
    Greater = 1,
    LessOrEqual = 2,
    GreaterOrEqual = 3,
    Contains = 5,
    StartsWith = 6,
    EndsWith = 7,
}

/// `left operator right`.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) left: Term,
    pub(super) operator: Operator,
    pub(super) right: Term,
}

/// The body of a check: all predicates and all expressions hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub(super) predicates: Vec<Predicate>,
    pub(super) expressions: Vec<Expression>,
}

/// `check if query or query …`.
#[derive(Clone, Debug)]
pub(super) struct Check(pub(super) Vec<Query>);

/// A block's content.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) version: u64,
    pub(super) facts: Vec<Predicate>,
    pub(super) checks: Vec<Check>,
}

impl Block {
    /// The block's bytes, as they are signed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut symbols = Symbols::default();
        let mut body = Writer::default();
        for fact in &self.facts {
            body.message(4, |fact_writer| {
                fact_writer.message(1, |writer| fact.encode(&mut symbols, writer));
            });
        }
        for check in &self.checks {
            body.message(6, |writer| check.encode(&mut symbols, writer));
        }
        // Symbols are collected while facts and checks are encoded, but stand before them.
        let mut block = Writer::default();
        for symbol in &symbols.0 {
            block.bytes(1, symbol.as_bytes());
        }
        block.stated_varint(3, self.version);
        let mut bytes = block.into_bytes();
        bytes.extend(body.into_bytes());
        bytes
    }
}

impl Check {
    fn encode(&self, symbols: &mut Symbols, writer: &mut Writer) {
        for query in &self.0 {
            writer.message(1, |rule| {
                // biscuit-auth gives every query of a check the head `query()`.
                rule.message(1, |head| head.stated_varint(1, symbols.index("query")));
                for predicate in &query.predicates {
                    rule.message(2, |body| predicate.encode(symbols, body));
                }
                for expression in &query.expressions {
                    rule.message(3, |ops| expression.encode(symbols, ops));
                }
            });
        }
    }
}

impl Predicate {
    fn encode(&self, symbols: &mut Symbols, writer: &mut Writer) {
        writer.stated_varint(1, symbols.index(self.name));
        for term in &self.terms {
            writer.message(2, |writer| term.encode(symbols, writer));
        }
    }
}

impl Expression {
    fn encode(&self, symbols: &mut Symbols, writer: &mut Writer) {
        for operand in [&self.left, &self.right] {
            writer.message(1, |op| op.message(1, |term| operand.encode(symbols, term)));
        }
        writer.message(1, |op| op.message(3, |binary| binary.stated_varint(1, self.operator as u64)));
    }
}

impl Term {
    fn encode(&self, symbols: &mut Symbols, writer: &mut Writer) {
        match self {
            Term::Var(name) => writer.stated_varint(1, symbols.index(name)),
            Term::Int(number) => writer.stated_varint(2, *number as u64),
            Term::Str(text) => writer.stated_varint(3, symbols.index(text)),
            Term::Bytes(bytes) => writer.bytes(5, bytes),
            Term::Set(elements) => {
                // Biscuit orders a set's strings by their number in the symbol table.
                let mut encoded: Vec<(i128, Vec<u8>)> = Vec::new();
                for element in elements {
                    let mut term = Writer::default();
                    element.encode(symbols, &mut term);
                    encoded.push((element.order(symbols), term.into_bytes()));
                }
                encoded.sort();
                writer.message(7, |set| encoded.iter().for_each(|(_, bytes)| set.bytes(1, bytes)));
            }
        }
    }

    fn order(&self, symbols: &mut Symbols) -> i128 {
        match self {
            Term::Int(number) => i128::from(*number),
            Term::Str(text) => i128::from(symbols.index(text)),
            _ => 0,
        }
    }
}

/// Strings are numbered in order of their first appearance, after Biscuit's default symbols.
#[derive(Default)]
struct Symbols(Vec<String>);

/// Biscuit's default symbol table, format version 3 and later.
const DEFAULT_SYMBOLS: [&str; 28] = [
    "read",
    "write",
    "resource",
    "operation",
    "right",
    "time",
    "role",
    "owner",
    "tenant",
    "namespace",
    "user",
    "team",
    "service",
    "admin",
    "email",
    "group",
    "member",
    "ip_address",
    "client",
    "client_ip",
    "domain",
    "path",
    "version",
    "cluster",
    "node",
    "hostname",
    "nonce",
    "query",
];

const FIRST_OWN_SYMBOL: usize = 1024;

impl Symbols {
    fn index(&mut self, text: &str) -> u64 {
        // Most are looked up among the own ones, which are none of the others.
        if let Some(own) = self.0.iter().position(|symbol| symbol == text) {
            return (FIRST_OWN_SYMBOL + own) as u64;
        }
        if let Some(index) = DEFAULT_SYMBOLS.iter().position(|symbol| *symbol == text) {
            return index as u64;
        }
        self.0.push(text.to_owned());
        let own = self.0.len() - 1;
        (FIRST_OWN_SYMBOL + own) as u64
    }
}
