//! A directory of shards: a ledger's entries in files, each verified by itself and all of them in a row.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use countersign::Agent;
use countersign_protocol::{
    ledger::{Checkpoint, Frontier, LeafIndex, Shard},
    trust::KeySet,
};

use crate::{
    exit::Exit,
    failure::Failure,
    input::Source,
    limits::{SHARD_BYTES, SHARD_FILE_MAX_BYTES},
    output_file,
    progress::Progress,
    terminal::Terminal,
};

/// What an archive holds.
#[derive(Debug, Default)]
pub(crate) struct Archived {
    /// The tree of all its entries.
    pub(crate) frontier: Frontier,
    /// How many shards they are in.
    pub(crate) shards: usize,
    /// The checkpoint of its last shard.
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// Reads and verifies every shard, with nothing but the domain's keys.
pub(crate) fn read(dir: &Path, keys: &KeySet, terminal: &mut Terminal) -> Result<Archived, Failure> {
    let mut archived = Archived::default();
    for path in shards(dir)? {
        let bytes = Source::File(path.clone()).read(SHARD_FILE_MAX_BYTES, terminal)?;
        let shard = Shard::open(&bytes, keys).map_err(|error| tampered(&path, format!("{error}.")))?;
        if shard.before != archived.frontier {
            let missing = archived.frontier.size();
            return Err(tampered(&path, format!("It does not go on from the {missing} entries before it.")));
        }
        archived.frontier = shard.after;
        archived.shards += 1;
        archived.checkpoint = Some(shard.checkpoint);
    }
    Ok(archived)
}

/// Adds what the ledger holds beyond an archive, in shards of so many entries; to the newest checkpoint if `to_end`,
/// else only shards that are full. Gives what the archive holds then.
pub(crate) async fn extend(
    agent: &Agent,
    dir: &Path,
    entries_per_shard: usize,
    to_end: bool,
    terminal: &mut Terminal,
) -> Result<Archived, Failure> {
    let failed = |error| Failure::sdk("The ledger was not archived", &error);
    let keys = agent.keys();
    fs::create_dir_all(dir).map_err(|error| not_written(dir, &error))?;
    let mut archived = read(dir, &keys, terminal)?;
    let (checkpoint, _) = agent.ledger().checkpoint().await.map_err(failed)?;
    let missing = checkpoint.size.get().saturating_sub(archived.frontier.size().get());
    let progress = Progress::of(missing, "entries", terminal.streams.err_is_terminal);
    let (mut gathered, mut bytes) = (Vec::new(), 0);
    let mut next = archived.frontier.size().next_leaf();
    while checkpoint.size.includes(next) {
        let (entries, after) = agent.ledger().entries(next).await.map_err(failed)?;
        if entries.is_empty() {
            return Err(withheld(next));
        }
        let left = usize::try_from(checkpoint.size.get() - next.get()).unwrap_or(usize::MAX);
        progress.advance(left.min(entries.len()) as u64);
        for entry in entries.into_iter().take(left) {
            if gathered.len() >= entries_per_shard || bytes + entry.len() > SHARD_BYTES {
                archived = seal(agent, dir, archived, &gathered).await?;
                (gathered, bytes) = (Vec::new(), 0);
            }
            bytes += entry.len();
            gathered.push(entry);
        }
        next = after;
    }
    let is_full = gathered.len() >= entries_per_shard;
    if !gathered.is_empty() && (is_full || to_end) {
        archived = seal(agent, dir, archived, &gathered).await?;
    }
    Ok(archived)
}

/// Writes the next shard, once it was verified as any reader will.
async fn seal(
    agent: &Agent,
    dir: &Path,
    archived: Archived,
    entries: &[Vec<u8>],
) -> Result<Archived, Failure> {
    let failed = |error| Failure::sdk("The ledger was not archived", &error);
    let mut after = archived.frontier.clone();
    entries.iter().for_each(|entry| after.push(countersign_protocol::ledger::leaf_hash(entry)));
    let proven = agent.ledger().prove_beginning(after.size(), after.root()).await;
    let (proof, checkpoint) = proven.map_err(failed)?;
    let bytes = Shard::write(&archived.frontier, entries, &checkpoint, &proof);
    let path = dir.join(format!("{:020}.shard", archived.frontier.size().get()));
    let shard = Shard::open(&bytes, &agent.keys()).map_err(|error| tampered(&path, format!("{error}.")))?;
    write(&path, &bytes)?;
    Ok(Archived { frontier: shard.after, shards: archived.shards + 1, checkpoint: Some(shard.checkpoint) })
}

/// Under its name it is whole: what an interruption left under another one is written anew.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(not_written(path, &error)),
        _ => {}
    }
    output_file::write(&new, bytes)?;
    let renamed = fs::hard_link(&new, path).and_then(|()| fs::remove_file(&new));
    renamed
        .and_then(|()| fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|error| not_written(path, &error))
}

/// The files of the shards, in order of their entries.
fn shards(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listed = || {
        let paths = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<io::Result<Vec<PathBuf>>>()
    };
    let mut paths = listed().map_err(|error| {
        let what = format!("{} is no archive", dir.display());
        Failure::usage(what, format!("{error}."), "Name the directory of an archive.")
    })?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "shard"));
    paths.sort();
    Ok(paths)
}

fn tampered(path: &Path, why: String) -> Failure {
    let next = "Keep it as evidence, and fetch the archive from another copy.";
    Failure::new(Exit::Tampered, format!("{} does not verify", path.display()), why, next)
}

fn withheld(leaf: LeafIndex) -> Failure {
    let why = format!("The broker signed for more entries, and gives none from leaf {leaf} on.");
    let next = "Show the checkpoint (countersign ledger checkpoint) to an operator of the trust domain.";
    Failure::new(Exit::Tampered, "The ledger was not archived", why, next)
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::AlreadyExists => Exit::Conflict,
        _ => Exit::Unavailable,
    };
    let next = "Check that the directory is yours and has room.";
    Failure::new(exit, format!("{} was not written", path.display()), format!("{error}."), next)
}
