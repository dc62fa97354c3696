use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;

use super::{Cast, Chains};
use crate::{
    page,
    process::Process,
    script::{Command, Outcome, field},
};

/// planner revokes the researcher's contract while fetcher, one hop further down, is reading.
pub(super) async fn revoke(cast: &mut Cast, chains: &Chains) -> Outcome<()> {
    page::chapter(7, "A revocation, while fetcher is reading");
    let resource = "file:/spec/machines/contract.toml".to_owned();
    cast.fetcher.tell(&Command::ReadOn { chain: chains.fetcher.clone(), resource }).await?;
    // Until some reads have gone well.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let revoked = cast.planner.ask(&Command::Revoke { chain: chains.researcher.clone() }).await?;
    let read = cast.fetcher.done().await?;
    let acknowledged: u64 = field(&revoked, "acknowledged")?;
    let last_began: u64 = field(&read, "last_began")?;
    let reason: String = field(&read, "reason")?;
    if reason != "REVOKED" || last_began == 0 || last_began > acknowledged {
        return Err(format!("fetcher went on until {last_began}, and ended with {reason}").into());
    }
    page::refused(&reason, format!("after {} more reads, the next one", field::<u64>(&read, "times")?));
    page::good("no read that began after the acknowledgement was done");
    Ok(())
}

/// Files that alice keeps.
pub(super) struct Evidence {
    bundle: String,
}

pub(super) async fn explain(cast: &mut Cast, invocation: &str) -> Outcome<Evidence> {
    page::chapter(8, "Who is behind this? alice asks, and keeps the evidence");
    let bundle = cast.directory.path().join("evidence.bundle").display().to_string();
    let command = Command::Explain { invocation: invocation.into(), file: bundle.clone() };
    let explained = cast.alice.ask(&command).await?;
    page::good(format!(
        "{} bytes of evidence for invocation {invocation}",
        field::<u64>(&explained, "bytes")?
    ));
    Ok(Evidence { bundle })
}

/// With the broker stopped, from copies.
pub(super) async fn audit(directory: &TempDir, evidence: &Evidence) -> Outcome<()> {
    page::chapter(9, "An auditor, later: the broker is stopped, its files are copied");
    let copy = tempfile::Builder::new().prefix("countersign-audit-").tempdir()?;
    copy_all(&directory.path().join("data"), copy.path())?;
    let keys = copy.path().join("public/keys.txt").display().to_string();
    let mut auditor = Process::start("auditor")?;

    let verify = |bundle: String| Command::Verify { bundle, keys: keys.clone() };
    let verified = auditor.ask(&verify(evidence.bundle.clone())).await?;
    page::block(&field::<String>(&verified, "text")?);
    page::good("the bundle verifies, with the domain's public keys and nothing else");

    let mut bytes = fs::read(&evidence.bundle)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    let tampered = copy.path().join("tampered.bundle");
    fs::write(&tampered, bytes)?;
    let command = verify(tampered.display().to_string());
    auditor.refused("the same bundle with one bit flipped", &command, "BUNDLE_INVALID").await?;

    let directory = copy.path().join("ledger").display().to_string();
    let audited = auditor.ask(&Command::Audit { directory, keys }).await?;
    let (entries, findings): (u64, u64) = (field(&audited, "entries")?, field(&audited, "findings")?);
    if findings > 0 {
        return Err(format!("the audit of {entries} entries found {findings} faults").into());
    }
    page::good(format!("the whole ledger, {entries} entries, replays and verifies"));
    auditor.end().await
}

fn copy_all(from: &Path, to: &Path) -> Outcome<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
