use super::{Cast, Chains};
use crate::{
    page,
    scope::{Scope, principal},
    script::{Command, Outcome, field},
};

const FILE: &str = "file:/spec/machines/contract.toml";

pub(super) async fn all(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    page::chapter(6, "What an attacker would try");
    injected(cast, chains).await?;
    widening(cast, chains).await?;
    stolen(cast, chains).await?;
    replayed(cast, chains).await?;
    oversold(cast, chains).await
}

/// A prompt-injected agent does what it was told, and can do no more than was signed.
async fn injected(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    let read = |resource: &str, max_bytes| Command::Read {
        chain: chains.fetcher.clone(),
        resource: resource.into(),
        max_bytes,
    };
    let fetcher = &mut cast.fetcher;
    fetcher
        .refused(
            "fetcher, injected, reads file:/spec/token.md",
            &read("file:/spec/token.md", 64),
            "CHECK_FAILED",
        )
        .await?;
    fetcher.refused("fetcher asks for 4,097 bytes", &read(FILE, 4_097), "CHECK_FAILED").await
}

/// researcher signs away more than it holds.
async fn widening(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    let wider = Scope { files: "file:/**".into(), calls: 10, max_bytes: 4_096, minutes: 5, delegations: 0 };
    let command = Command::Oversell { chain: chains.researcher.clone(), scope: wider.clone() };
    cast.researcher.tell(&command).await?;
    let ask =
        Command::Negotiate { delegator: principal("agent/researcher"), scope: wider, enough: 1, seconds: 3 };
    cast.sorter.tell(&ask).await?;
    cast.researcher.was_refused("researcher offers file:/** out of file:/spec/**", "RIGHTS_WIDENED").await?;
    match cast.sorter.answer().await? {
        Err(_) => page::line("sorter", "got nothing: the negotiation ended without a contract"),
        Ok(value) => return Err(format!("sorter got a contract: {value}").into()),
    }
    Ok(())
}

async fn stolen(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    let leaked = cast.fetcher.ask(&Command::Leak { chain: chains.fetcher.clone() }).await?;
    let token: String = field(&leaked, "token")?;
    page::line("fetcher", format!("its token leaks: {} bytes, {}…", token.len() / 2, &token[..32]));
    let command = Command::UseStolen { token, leaf: field(&leaked, "leaf")?, resource: FILE.into() };
    cast.mallory
        .refused("mallory uses fetcher's token with a proof of its own", &command, "PROOF_INVALID")
        .await
}

async fn replayed(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    let command = Command::Replay { chain: chains.fetcher.clone(), resource: FILE.into() };
    cast.fetcher.refused("the same proof a second time", &command, "PROOF_REPLAYED").await
}

/// researcher has 1,000 calls and gave 240 of them to fetcher: 800 more are not there.
async fn oversold(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    let scope =
        Scope { files: "file:/spec/**".into(), calls: 800, max_bytes: 4_096, minutes: 5, delegations: 0 };
    let command = Command::Oversell { chain: chains.researcher.clone(), scope: scope.clone() };
    cast.researcher.tell(&command).await?;
    let ask = Command::Negotiate { delegator: principal("agent/researcher"), scope, enough: 1, seconds: 3 };
    cast.sorter.tell(&ask).await?;
    cast.sorter.was_refused("a sibling takes 800 calls of the 760 that are left", "BUDGET_EXCEEDED").await?;
    // The negotiation ends at its deadline, without a contract.
    cast.researcher.done().await.map(drop)
}
