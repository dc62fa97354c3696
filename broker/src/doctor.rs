//! Looks at everything that a broker needs before it runs.

use std::{
    fmt, fs, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use countersign_protocol::{
    domain::State,
    time::{Lifetime, Timestamp},
};
use countersign_store::StoreError;

use crate::{
    broker::{AssemblyError, Broker},
    channel::Validity,
    clock::Clock,
    config::Config,
    domain::Domain,
    file,
    held_store::Released,
    keys::{KeyFiles, KeySource as _},
    metrics::Appends,
};

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// That it is fine, and how; or what is wrong.
    pub outcome: Result<String, Trouble>,
}

/// Something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(how) => write!(f, "ok       {}: {how}", self.subject),
            Err(Trouble { what, remedy }) => write!(f, "problem  {}: {what}; {remedy}", self.subject),
        }
    }
}

/// An authority that ends within this time is a problem now: its successor needs time to spread.
const AUTHORITY_NOTICE: Lifetime = Lifetime::from_millis(90 * 24 * 60 * 60 * 1_000);

/// Looks at keys, ledger, state, clock, authority and ports. Changes nothing but what opening the ledger
/// changes.
pub async fn doctor(config: &Config, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let files = KeyFiles::in_dir(config.key_dir.clone());
    let mut findings: Vec<Finding> = files
        .paths()
        .map(|path| {
            let subject = format!("key file {}", path.display());
            Finding { subject, outcome: private(&path) }
        })
        .collect();
    let now = clock.now();
    match files.load() {
        Ok(keys) => {
            findings.push(finding("keys", Ok("they are read".into())));
            findings.push(finding("authority", authority(keys.authority.validity(), now)));
        }
        Err(error) => findings.push(finding("keys", trouble(error, RESTORE_KEYS))),
    }
    let Looked { ledger, snapshot, last } =
        ledger(Broker::open(config, clock, Appends::default()).await).await;
    findings.push(finding("ledger and checkpoint", ledger));
    findings.extend(snapshot.map(|outcome| finding("snapshot of the state", outcome)));
    findings.push(finding("clock", clock_runs(now, last)));
    findings.push(finding("listen", free(config.listen)));
    findings.push(finding("enrolment_listen", free(config.enrolment_listen)));
    findings
}

const RESTORE_KEYS: &str = "restore the key files from a backup, or run `countersignd init` for a new domain";

fn finding(subject: &str, outcome: Result<String, Trouble>) -> Finding {
    Finding { subject: subject.to_owned(), outcome }
}

fn trouble(what: impl fmt::Display, remedy: &'static str) -> Result<String, Trouble> {
    Err(Trouble { what: what.to_string(), remedy })
}

fn private(path: &std::path::Path) -> Result<String, Trouble> {
    match fs::metadata(path).and_then(|metadata| file::check_private(&metadata)) {
        Ok(()) => Ok("only its owner can use it".into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => trouble(error, RESTORE_KEYS),
        Err(error) => trouble(error, "and draw new keys if others may have read it"),
    }
}

fn authority(validity: Validity, now: Timestamp) -> Result<String, Trouble> {
    let until = validity.not_after;
    if !validity.holds_at(now) {
        trouble(format!("it is valid from {} until {until}", validity.not_before), "check the clock first")
    } else if until.since(now) < AUTHORITY_NOTICE {
        trouble(format!("it ends at {until}"), "plan a new domain or a new authority")
    } else {
        Ok(format!("it is valid until {until}"))
    }
}

/// What the ledger is like.
struct Looked {
    ledger: Result<String, Trouble>,
    /// The same of the snapshot, if a start goes on from one.
    snapshot: Option<Result<String, Trouble>>,
    /// The ledger's last time.
    last: Option<Timestamp>,
}

async fn ledger(opened: Result<(Broker, Released), AssemblyError>) -> Looked {
    let ledger = match opened {
        Ok((broker, released)) => {
            let (size, last) = broker.domain.peek(|state, _| (state.tree().size(), State::last_time(state)));
            let snapshot = snapshot(&broker.domain).await;
            drop(broker);
            released.await;
            let ledger = Ok(format!("all {size} entries are read, and the checkpoint fits them"));
            return Looked { ledger, snapshot, last };
        }
        Err(AssemblyError::Store(StoreError::Locked { .. })) => {
            trouble("a broker has it open", "stop the broker to have it checked")
        }
        Err(AssemblyError::NotInitialised(domain)) => {
            trouble(format!("it has no entries of {domain}"), "run `countersignd init`")
        }
        Err(AssemblyError::Keys(_)) => trouble("it is not checked without keys", "see to the keys first"),
        Err(error @ AssemblyError::Store(StoreError::Damaged { .. })) => {
            trouble(error, "keep a copy as evidence, then restore a backup")
        }
        Err(error) => trouble(error, "see to that first"),
    };
    Looked { ledger, snapshot: None, last: None }
}

/// A start believes its own seal; here every entry is folded again.
async fn snapshot(domain: &Domain) -> Option<Result<String, Trouble>> {
    let size = domain.snapshot_size();
    if size == 0 {
        return None;
    }
    Some(match domain.is_folded().await {
        Ok(true) => Ok(format!("what it says of {size} entries is what they fold into")),
        Ok(false) => trouble(
            format!("it says of {size} entries what they do not fold into"),
            "keep a copy of `derived` in the ledger's directory as evidence, delete it, and draw new keys",
        ),
        Err(error) => trouble(error, "see to that first"),
    })
}

fn clock_runs(now: Timestamp, last: Option<Timestamp>) -> Result<String, Trouble> {
    match last {
        Some(last) if now < last => {
            trouble(format!("it says {now}, the ledger's last entry is of {last}"), "set the clock")
        }
        _ => Ok(format!("it says {now}")),
    }
}

fn free(address: SocketAddr) -> Result<String, Trouble> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => trouble(format!("{address}: {error}"), "stop what listens there, or choose another"),
    }
}
