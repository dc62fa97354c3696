use super::{Cast, Chains};
use crate::{
    page,
    process::Process,
    scope::{Scope, principal},
    script::{Command, Outcome, field},
};

fn scope(files: &str, calls: u64, max_bytes: i64, minutes: u64, delegations: u32) -> Scope {
    Scope { files: files.into(), calls, max_bytes, minutes, delegations }
}

pub(super) async fn grant(cast: &mut Cast) -> Outcome<String> {
    page::chapter(2, "alice grants; a rule of the domain allows it");
    let scope = scope("file:/spec/**", 10_000, 65_536, 60, 3);
    let command = Command::Grant { holder: cast.planner_instance.clone(), scope };
    let chain = field(&cast.alice.ask(&command).await?, "chain")?;
    page::good(format!("chain {chain}: everything beneath it answers to alice"));
    Ok(chain)
}

pub(super) async fn negotiate(cast: &mut Cast, grant: String) -> Outcome<Chains> {
    page::chapter(3, "planner and researcher negotiate; both sign, one commit makes it usable");
    let most = scope("file:/spec/**", 1_000, 16_384, 30, 2);
    let asked = scope("file:/spec/**", 9_000, 16_384, 30, 2);
    let (planner, researcher) = (&mut cast.planner, &mut cast.researcher);
    let researcher_chain =
        contract(planner, &grant, most, researcher, ("agent/planner", asked, 1_000)).await?;

    page::chapter(4, "researcher and fetcher negotiate; each hop can only narrow");
    let most = scope("file:/spec/machines/*", 400, 4_096, 10, 0);
    let asked = scope("file:/spec/machines/*", 900, 4_096, 10, 0);
    let (researcher, fetcher) = (&mut cast.researcher, &mut cast.fetcher);
    let fetcher_chain =
        contract(researcher, &researcher_chain, most, fetcher, ("agent/researcher", asked, 240)).await?;
    Ok(Chains { researcher: researcher_chain, fetcher: fetcher_chain })
}

/// One negotiation, to its contract.
async fn contract(
    delegator: &mut Process,
    held: &str,
    most: Scope,
    delegatee: &mut Process,
    (path, asked, enough): (&str, Scope, u64),
) -> Outcome<String> {
    delegator.tell(&Command::Delegate { chain: held.into(), most }).await?;
    let ask = Command::Negotiate { delegator: principal(path), scope: asked, enough, seconds: 60 };
    let agreed = delegatee.ask(&ask).await?;
    delegator.done().await?;
    let (contract, calls): (String, u64) = (field(&agreed, "contract")?, field(&agreed, "calls")?);
    page::good(format!("contract {contract}: {calls} calls, signed by both, in the ledger"));
    field(&agreed, "chain")
}

/// fetcher has files read; gives the invocation that is explained later.
pub(super) async fn read(cast: &mut Cast, chains: &Chains) -> Outcome<String> {
    page::chapter(5, "fetcher acts: the broker checks the whole chain, the service checks it again");
    let mut invocation = String::new();
    for file in ["negotiation.toml", "contract.toml"] {
        let resource = format!("file:/spec/machines/{file}");
        let command = Command::Read { chain: chains.fetcher.clone(), resource, max_bytes: 4_096 };
        let answer = cast.fetcher.ask(&command).await?;
        let [intent, result]: [u64; 2] = field(&answer, "leaves")?;
        page::good(format!(
            "{file}: {} bytes, beginning “{}”; INTENT is leaf {intent}, RESULT leaf {result}",
            field::<u64>(&answer, "bytes")?,
            field::<String>(&answer, "first_line")?
        ));
        invocation = field(&answer, "invocation")?;
    }
    Ok(invocation)
}
