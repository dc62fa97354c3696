//! The auditor: it has a copy of the broker's files, the bundle, and the domain's public keys. No
//! network, no broker, no account.

use std::{fmt::Write as _, fs, path::Path};

use countersign_protocol::{
    audit::Audit,
    explain::{Bundle, Explanation},
    ledger::TreeSize,
    payload::Payload as _,
    refusal::{Reason, Refusal},
    trust::KeySet,
};
use countersign_store::{EmbeddedStore, READ_MAX_BYTES, Store as _};
use serde_json::{Value as Json, json};

use crate::script::{Command, Commands, Outcome, answer, note};

pub(crate) async fn run() -> Outcome<()> {
    let mut commands = Commands::new();
    while let Some(command) = commands.next().await? {
        answer(match command {
            Command::Verify { bundle, keys } => verify(&bundle, &keys),
            Command::Audit { directory, keys } => audit(&directory, &keys).await,
            other => Err(format!("an auditor does not do that: {other:?}").into()),
        });
    }
    Ok(())
}

fn pinned(keys: &str) -> Outcome<KeySet> {
    Ok(fs::read_to_string(keys)?.trim().parse()?)
}

fn verify(bundle: &str, keys: &str) -> Outcome<Json> {
    let worthless = |why: String| Refusal::new("LOG-030", Reason::BundleInvalid, why);
    let bundle = Bundle::from_bytes(&fs::read(bundle)?).map_err(|why| worthless(why.to_string()))?;
    let explanation = bundle.verify(&pinned(keys)?)?;
    Ok(json!({ "text": in_words(&explanation)? }))
}

/// The chain as a tree, then what is proven and what is the broker's word.
fn in_words(explanation: &Explanation) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}", explanation.originator)?;
    for (depth, link) in explanation.links.iter().enumerate() {
        let indent = "   ".repeat(depth);
        let by = link.contract.map_or("grant".into(), |(contract, _)| format!("contract {contract}"));
        let (holder, leaf) = (link.holder.principal().short(), link.leaf);
        let calls = link.rights.budget.ceiling;
        writeln!(
            text,
            "{indent}└─ {holder}: {calls} calls until {}, by {by} (leaf {leaf})",
            link.rights.not_after
        )?;
    }
    let (action, resource, callee) = (&explanation.action, &explanation.resource, &explanation.callee);
    let indent = "   ".repeat(explanation.links.len());
    writeln!(
        text,
        "{indent}└─ {action} {resource} by {}, at {}",
        callee.principal().short(),
        explanation.decided
    )?;
    writeln!(text, "proven:")?;
    explanation.proven.iter().try_for_each(|fact| writeln!(text, "  · {fact}"))?;
    writeln!(text, "the broker's word:")?;
    explanation.attested.iter().try_for_each(|fact| writeln!(text, "  · {fact}"))?;
    let parties =
        explanation.links.iter().flat_map(|link| [&link.grantor, &link.holder]).chain([&explanation.callee]);
    Ok(parties.fold(text, |text, party| text.replace(party.as_str(), party.principal().short())))
}

async fn audit(directory: &str, keys: &str) -> Outcome<Json> {
    let keys = pinned(keys)?;
    let domain = keys.domain().clone();
    let store = EmbeddedStore::open(Path::new(directory))?;
    let end = store.head(&domain).await?.size.next_leaf();
    let mut audit = Audit::begin(keys);
    let mut next = TreeSize::ZERO.next_leaf();
    while next < end {
        let entries = store.read(&domain, next..end, READ_MAX_BYTES).await?;
        next = next.plus(entries.len() as u64).ok_or("the ledger is too long")?;
        audit = entries.iter().fold(audit, |audit, entry| audit.entry(entry));
    }
    let checkpoint = store.checkpoint(&domain).await?.ok_or("the ledger has no checkpoint")?;
    let report = audit.finish(&checkpoint);
    report.findings.iter().for_each(|finding| note(finding.to_string()));
    let counts = report.counts.iter().map(|(kind, count)| format!("{count} {}", kind.name()));
    note(counts.collect::<Vec<_>>().join(", "));
    Ok(json!({ "entries": report.size.get(), "findings": report.found }))
}
