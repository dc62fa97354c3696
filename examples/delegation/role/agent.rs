//! Everyone but the broker: alice, planner, researcher, fetcher, the files service, mallory. What
//! sets them apart is who the join token says they are, and what they hold.

use std::{num::NonZeroU32, time::Duration};

use countersign::{
    Agent, Answer, Ask, Call, Clock as _, Error, Held, Options, RequestReply, SystemClock, Target,
};
use countersign_protocol::{
    capability::{Argument, Arguments, Value},
    digest::{ChainId, Digest},
    time::{Lifetime, Timestamp},
};
use serde_json::{Value as Json, json};

use super::{
    attack, files,
    haggle::{Rising, come_down, offer},
};
use crate::{
    scope::{MAX_BYTES, Scope},
    script::{Command, Commands, Outcome, answer, note},
};

pub(crate) async fn run(name: &str) -> Outcome<()> {
    let mut commands = Commands::new();
    let Some(Command::Join { token }) = commands.next().await? else { return Err("join first".into()) };
    let configuration = Digest::of(format!("{name}: model, prompt, tools").as_bytes());
    let agent = Agent::join(&token.parse()?, Options::new(configuration)).await?;
    answer(Ok(json!({ "instance": agent.instance().as_str() })));
    while let Some(command) = commands.next().await? {
        answer(Box::pin(obey(&agent, command)).await);
    }
    Ok(())
}

async fn obey(agent: &Agent, command: Command) -> Outcome<Json> {
    match command {
        Command::Invite { principal } => {
            let token = agent.create_join_token(&principal.parse()?, Lifetime::from_millis(60_000)).await?;
            Ok(json!({ "token": *token.to_text() }))
        }
        Command::Grant { holder, scope } => {
            let held = agent.grant(&holder.parse()?, scope.rights(now())?).await?;
            note(format!("signs a grant: {}", scope.words()));
            Ok(json!({ "chain": held.chain_id().to_string() }))
        }
        Command::Delegate { chain, most } => {
            let held = held(agent, &chain).await?;
            let mut strategy = Rising { held: held.clone(), most, now };
            let delegated = agent.delegate(&held, &mut strategy).await?;
            Ok(json!({ "outcome": format!("{:?}", delegated.outcome) }))
        }
        Command::Oversell { chain, scope } => {
            let held = held(agent, &chain).await?;
            let terms = offer(&scope, held.rights(), now())?;
            let mut strategy = |_: &_| RequestReply::Offer(Box::new(terms.clone()));
            match agent.delegate(&held, &mut strategy).await?.outcome {
                Err(error @ Error::Refused(_)) => Err(error.into()),
                outcome => Ok(json!({ "outcome": format!("{outcome:?}") })),
            }
        }
        Command::Negotiate { delegator, scope, enough, seconds } => {
            negotiate(agent, &delegator, &scope, enough, seconds).await
        }
        Command::Serve => {
            let (serving, capacity) = (agent.clone(), NonZeroU32::MIN.saturating_add(7));
            tokio::spawn(async move { serving.serve(files::read, capacity).await });
            Ok(json!({}))
        }
        Command::Read { chain, resource, max_bytes } => {
            let answer = read(agent, &held(agent, &chain).await?, &resource, max_bytes).await?;
            let first_line =
                String::from_utf8_lossy(&answer.body).lines().next().unwrap_or_default().to_owned();
            Ok(json!({
                "invocation": answer.invocation.to_string(),
                "leaves": [answer.intent.get(), answer.result.get()],
                "bytes": answer.body.len(),
                "first_line": first_line,
            }))
        }
        Command::ReadOn { chain, resource } => read_on(agent, &held(agent, &chain).await?, &resource).await,
        Command::Replay { chain, resource } => {
            attack::replay(agent, &held(agent, &chain).await?, &resource).await
        }
        Command::Leak { chain } => {
            let held = held(agent, &chain).await?;
            let leaf = held.active().activation().leaf.get();
            Ok(json!({ "token": hex::encode(held.active().token().as_bytes()), "leaf": leaf }))
        }
        Command::UseStolen { token, leaf, resource } => {
            attack::use_stolen(agent, &token, leaf, &resource).await
        }
        Command::Revoke { chain } => {
            let target = Target::Chain(chain.parse()?);
            let preview = agent.preview_revocation(&target).await?;
            note(format!("sees that {} chains would end, and confirms that number", preview.chains));
            let revoked = agent.revoke(&target, preview.chains).await?;
            Ok(json!({ "leaf": revoked.leaf.get(), "acknowledged": now().as_millis() }))
        }
        Command::Explain { invocation, file } => {
            let bundle = agent.explain(invocation.parse()?).await?;
            std::fs::write(&file, &bundle)?;
            Ok(json!({ "bytes": bundle.len() }))
        }
        other => Err(format!("an agent does not do that: {other:?}").into()),
    }
}

async fn negotiate(
    agent: &Agent,
    delegator: &str,
    scope: &Scope,
    enough: u64,
    seconds: u64,
) -> Outcome<Json> {
    note(format!("asks to {}", scope.words()));
    let ask = Ask {
        rights: scope.rights(now())?,
        purpose: "find out what the specification says".into(),
        deadline: now().plus(Lifetime::from_millis(seconds * 1_000)),
        max_rounds: 4,
        award: None,
    };
    let held = agent.negotiate(&delegator.parse()?, ask, &mut come_down(enough)).await?;
    let contract = held.contract().map(|contract| contract.contract_id.to_string());
    Ok(
        json!({ "chain": held.chain_id().to_string(), "contract": contract, "calls": held.rights().budget.ceiling.get() }),
    )
}

async fn held(agent: &Agent, chain: &str) -> Outcome<Held> {
    Ok(agent.held(chain.parse::<ChainId>()?).await?)
}

pub(crate) fn call(resource: &str, max_bytes: i64) -> Outcome<Call> {
    let argument = Argument { name: MAX_BYTES.parse()?, value: Value::Int(max_bytes) };
    Ok(Call {
        callee: crate::scope::principal("service/files").parse()?,
        action: "read".parse()?,
        resource: resource.parse()?,
        arguments: Arguments::new(vec![argument])?,
        body: Vec::new(),
    })
}

async fn read(agent: &Agent, held: &Held, resource: &str, max_bytes: i64) -> Outcome<Answer> {
    Ok(agent.invoke(held, call(resource, max_bytes)?).await?)
}

/// Reads until something is refused; tells how often it went well, and when the last of these began.
async fn read_on(agent: &Agent, held: &Held, resource: &str) -> Outcome<Json> {
    let (mut times, mut last_began) = (0, 0);
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    loop {
        pace.tick().await;
        let began = now().as_millis();
        match agent.invoke(held, call(resource, 64)?).await {
            Ok(_) => (times, last_began) = (times + 1, began),
            Err(error) => {
                let reason = error.reason().map(|reason| reason.name());
                return Ok(json!({ "times": times, "last_began": last_began, "reason": reason }));
            }
        }
    }
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
