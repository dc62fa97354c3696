//! The second opinion: biscuit-auth evaluates the chain's Datalog over the facts of one request.

use biscuit_auth::{
    Authorizer, AuthorizerBuilder, AuthorizerLimits,
    builder::{Fact, Term, fact, int, string},
    error,
};

use super::{compile::VERIFIED, verify::Token};
use crate::{
    capability::{Request, Value},
    limits::{DATALOG_MAX_FACTS, DATALOG_MAX_ITERATIONS, DATALOG_MAX_MS},
    refusal::{Reason, Refusal},
    time::Timestamp,
};

/// Whether the checks of every block hold. The caller has walked the chain and seen the holder's
/// proof: only then may the fact be injected that the authority block's check waits for.
pub(super) fn checks_hold(token: &Token, request: &Request, now: Timestamp) -> Result<(), Refusal> {
    let mut authorizer = authorizer(token, request, now).map_err(refusal)?;
    authorizer.authorize_with_limits(limits()).map(|_| ()).map_err(refusal)
}

fn authorizer(token: &Token, request: &Request, now: Timestamp) -> Result<Authorizer, error::Token> {
    let builder = AuthorizerBuilder::new().set_limits(limits());
    let builder = facts(token, request, now).into_iter().try_fold(builder, AuthorizerBuilder::fact)?;
    // What is denied is denied by a check; nothing of the token's can grant.
    builder.policy("allow if true")?.build(token.biscuit())
}

/// What stops an engine, or a block, that is not what it should be: rules make facts and rounds, and a
/// block that we verify holds none.
fn limits() -> AuthorizerLimits {
    AuthorizerLimits {
        // The engine stops at its number, not beyond it.
        max_facts: DATALOG_MAX_FACTS + 1,
        max_iterations: DATALOG_MAX_ITERATIONS,
        max_time: std::time::Duration::from_millis(DATALOG_MAX_MS),
    }
}

/// The facts that the checks of `compile` look for, one by one.
fn facts(token: &Token, request: &Request, now: Timestamp) -> Vec<Fact> {
    let segments = request.resource.segments().enumerate();
    let mut facts = vec![
        one(VERIFIED, [Term::Bytes(token.chain_id().as_bytes().to_vec())]),
        one("time_ms", [int(now.as_millis() as i64)]),
        one("audience", [string(request.callee.as_str())]),
        one("action", [string(request.action.as_str())]),
        one("scheme", [string(request.resource.scheme())]),
        one("depth", [int(request.resource.segments().count() as i64)]),
    ];
    facts.extend(segments.map(|(position, segment)| one("segment", [int(position as i64), string(segment)])));
    facts.extend(request.arguments.iter().map(|argument| {
        let name = string(argument.name.as_str());
        match &argument.value {
            Value::Text(text) => one("text", [name, string(text.as_str())]),
            Value::Int(number) => one("int", [name, int(*number)]),
            Value::Path(path) => one("path", [name, string(&path.closed())]),
            Value::Ip(address) => one("ip", [name, string(&address.bits())]),
            Value::Url(url) => {
                let parts = url.parts();
                let (host, path) = (string(&parts.host), string(&parts.closed_path));
                one("url", [name, string(&parts.scheme), host, int(i64::from(parts.port)), path])
            }
        }
    }));
    facts
}

fn one<const N: usize>(name: &str, terms: [Term; N]) -> Fact {
    fact(name, &terms)
}

/// Running out of time or room is not a denial: a busy machine must not say no (CHN-011).
fn refusal(error: error::Token) -> Refusal {
    match error {
        error::Token::RunLimit(limit) => {
            Refusal::new("CHN-011", Reason::DecisionUnavailable, format!("Datalog: {limit}."))
        }
        error => Refusal::new("CHN-010", Reason::CheckFailed, format!("Datalog: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use biscuit_auth::error::{RunLimit, Token};

    use super::*;

    /// How an evaluation of those facts and that rule ends.
    fn evaluated(facts: Vec<Fact>, rule: &str, limits: AuthorizerLimits) -> Result<(), Token> {
        let builder = AuthorizerBuilder::new().set_limits(limits.clone()).rule(rule).unwrap();
        let builder = facts.into_iter().try_fold(builder, AuthorizerBuilder::fact).unwrap();
        let mut authorizer = builder.policy("allow if true").unwrap().build_unauthenticated().unwrap();
        authorizer.authorize_with_limits(limits).map(drop)
    }

    #[test]
    fn an_evaluation_ends_beyond_each_of_its_limits() {
        // One more fact than is copied, so that both edges are met.
        let facts = |copied: u64, others: u64| {
            let copied = (0..copied).map(|number| one("copied", [int(number as i64)]));
            let facts = copied.chain((0..others).map(|number| one("other", [int(number as i64)])));
            evaluated(facts.collect(), "copy($x) <- copied($x)", limits())
        };
        assert_eq!(facts(DATALOG_MAX_FACTS / 2, 0), Ok(()));
        assert_eq!(facts(DATALOG_MAX_FACTS / 2, 1), Err(Token::RunLimit(RunLimit::TooManyFacts)));
        // Each step is a round, and the last round finds nothing.
        let rounds = |rounds: u64, limits| {
            let steps = (1..rounds as i64).map(|number| one("step", [int(number - 1), int(number)]));
            evaluated(steps.chain([one("at", [int(0)])]).collect(), "at($y) <- at($x), step($x, $y)", limits)
        };
        assert_eq!(rounds(DATALOG_MAX_ITERATIONS, limits()), Ok(()));
        let beyond = rounds(DATALOG_MAX_ITERATIONS + 1, limits());
        assert_eq!(beyond, Err(Token::RunLimit(RunLimit::TooManyIterations)));
        let no_time = AuthorizerLimits { max_time: std::time::Duration::ZERO, ..limits() };
        assert_eq!(rounds(1, no_time), Err(Token::RunLimit(RunLimit::Timeout)));
    }

    /// Attack line 17, the reverse: a legitimate request is not denied because a machine was busy.
    #[test]
    fn a_limit_that_was_reached_is_no_denial() {
        for limit in [RunLimit::Timeout, RunLimit::TooManyFacts, RunLimit::TooManyIterations] {
            assert_eq!(refusal(Token::RunLimit(limit)).reason(), Reason::DecisionUnavailable);
        }
        assert_eq!(refusal(Token::AppendOnSealed).reason(), Reason::CheckFailed, "the twin");
    }
}
