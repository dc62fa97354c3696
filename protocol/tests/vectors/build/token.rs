//! Tokens: container, signatures, blocks, and the walk along the chain.

mod blocks;
mod chain;
mod container;

use countersign_forge::biscuit::{Container, Step, grant_block};
use countersign_protocol::payload::Payload;
use serde_json::{Value, json};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};

const OP: &str = "verify_token";

/// The good chains that others are taken for.
const GRANT: &str = "token.grant";
const ONE: &str = "token.one-hop";
const TWO: &str = "token.two-hops";

pub(super) fn fill(shelf: &mut Shelf) {
    accept(shelf, GRANT, "TOK-020", "A grant, held by planner.", &grant());
    accept(shelf, ONE, "TOK-020", "planner's grant, handed on to researcher.", &one());
    accept(shelf, TWO, "CHN-002", "planner to researcher to fetcher, narrower with each hop.", &two());
    container::fill(shelf);
    blocks::fill(shelf);
    chain::fill(shelf);
}

pub(super) fn grant() -> Container {
    cast::minted(&cast::grant_terms())
}

/// The same, by the capability key of before leaf 100.
pub(super) fn old() -> Container {
    let block = grant_block(&cast::grant_terms());
    Container {
        root_key_id: 7,
        ..Container::root(block, &cast::domain(), &cast::key("capability-old"), None)
    }
}

pub(super) fn one() -> Container {
    grant().hop(&cast::hop_terms("researcher", 1), &cast::key("planner"))
}

pub(super) fn two() -> Container {
    one().hop(&cast::hop_terms("fetcher", 2), &cast::key("researcher"))
}

pub(super) fn context() -> Value {
    json!({ "key_set_b64": to_base64(&cast::key_set().to_bytes()) })
}

/// The chain ids are computed apart from the core; so is who holds the last link.
fn accept(shelf: &mut Shelf, id: &str, rule: &str, why: &str, token: &Container) {
    let chain: Vec<String> = token.chain_ids().iter().map(hex::encode).collect();
    let holder = ["planner", "researcher", "fetcher"].get(token.hops.len());
    let holder = holder.map_or_else(|| last_of_many(token), |name| cast::instance(name));
    let output = json!({ "chain": chain, "holder": holder.as_str() });
    let draft = shelf.accept(OP, id).rule(rule).because(why).output(output);
    give(draft, &token.bytes());
}

/// The holder of a chain of agents that are numbered.
fn last_of_many(token: &Container) -> countersign_protocol::name::InstanceId {
    cast::instance(&format!("agent-{:02}", token.hops.len()))
}

fn give(draft: Draft<'_>, token: &[u8]) {
    draft.given(context(), json!({ "token_b64": to_base64(token) }));
}

/// A refusal for what the container or a block says.
fn malformed<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, rule: &str, why: &str) -> Draft<'a> {
    let draft = shelf.reject(OP, &format!("token.{id}"), twin).rule(rule).because(why);
    draft.reason("TOKEN_MALFORMED")
}

fn untrusted<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, rule: &str, why: &str) -> Draft<'a> {
    let draft = shelf.reject(OP, &format!("token.{id}"), twin).rule(rule).because(why);
    draft.reason("TOKEN_UNTRUSTED").flag("Forgery")
}

/// A hop of researcher's terms by planner, with any content.
fn hop_with(payload: Vec<u8>) -> Container {
    grant().step(&Step::new(payload, &cast::key("planner")))
}
