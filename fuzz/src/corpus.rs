//! Corpora: what is checked in, one text file for each target, and the folders of files that a fuzzer
//! works on.
//!
//! In a text file each line is an input with its name, escaped so that names, paths and types can be
//! read in a diff. A name that is not a number says what the input once broke, and stays.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    escape::{escape, unescape},
    target::Target,
};

/// Inputs of one target, and how many bytes of text they may come to. More belongs nowhere near a diff.
pub const INPUTS_MAX: usize = 50;
/// See [`INPUTS_MAX`].
pub const BYTES_MAX: usize = 200_000;

/// The inputs that are checked in for a target, by name.
pub fn checked_in(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let path = path(target);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let read = |line: &str| {
        let (name, input) = line.split_once(' ')?;
        Some((name.to_owned(), unescape(input)?))
    };
    let lines = text.lines().map(|line| read(line).unwrap_or_else(|| panic!("{}: {line}", path.display())));
    lines.collect()
}

/// Writes the seeds and the corpus of a target into a folder, for a fuzzer to begin with.
pub fn unpack(target: &Target, folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    let seeds = (target.seeds)().into_iter().map(|seed| (seed.name, seed.bytes));
    let all: BTreeMap<_, _> = seeds.chain(checked_in(target)).collect();
    for (name, bytes) in &all {
        fs::write(folder.join(name.replace(['/', ':', ' '], "-")), bytes)?;
    }
    Ok(all.len())
}

/// Makes the corpus of a target of a folder that a fuzzer has minimized, and of the findings that were
/// there. What does not fit is left out, the largest first, save findings; seeds are not repeated.
pub fn pack(target: &Target, folder: &Path) -> io::Result<usize> {
    let seeds: Vec<Vec<u8>> = (target.seeds)().into_iter().map(|seed| seed.bytes).collect();
    let mut inputs = Vec::new();
    for file in fs::read_dir(folder)? {
        let bytes = fs::read(file?.path())?;
        if !seeds.contains(&bytes) {
            inputs.push(bytes);
        }
    }
    inputs.sort_by_key(|bytes| (bytes.len(), bytes.clone()));
    let mut corpus: BTreeMap<_, _> =
        checked_in(target).into_iter().filter(|(name, _)| name.parse::<u32>().is_err()).collect();
    let mut room = BYTES_MAX;
    for bytes in corpus.values() {
        room = room.saturating_sub(escape(bytes).len() + 40);
    }
    for (number, bytes) in inputs.into_iter().enumerate() {
        let size = escape(&bytes).len() + 40;
        if corpus.len() == INPUTS_MAX || size > room {
            break;
        }
        room -= size;
        corpus.insert(format!("{number:03}"), bytes);
    }
    let lines = corpus.iter().map(|(name, bytes)| format!("{name} {}\n", escape(bytes)));
    fs::write(path(target), lines.collect::<String>())?;
    Ok(corpus.len())
}

/// Adds one input by a name that says what it broke.
pub fn keep(target: &Target, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut corpus = checked_in(target);
    corpus.insert(name.to_owned(), bytes.to_vec());
    let lines = corpus.iter().map(|(name, bytes)| format!("{name} {}\n", escape(bytes)));
    fs::write(path(target), lines.collect::<String>())
}

/// An input as one word, for a message.
pub fn shown(bytes: &[u8]) -> String {
    escape(bytes)
}

fn path(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/{}.txt", target.name))
}
