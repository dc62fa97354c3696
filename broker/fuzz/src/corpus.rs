//! Corpora: what is checked in, one text file for each target, and the folders of files that a fuzzer
//! works on.
//!
//! In a text file each line is an input with its name, escaped so that names, paths and types can be
//! read in a diff. A name that is not a number says what the input once broke, and stays.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
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
pub const BYTES_MAX: usize = 100_000;

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

/// Makes the corpus of a target of what a fuzzer found, and of the findings that were there. `control` is
/// the file in which libFuzzer says, while it merges, which input reaches what: those are taken that
/// add the most to what the seeds reach, as long as there is room.
pub fn pack(target: &Target, control: &Path) -> io::Result<usize> {
    let mut inputs = reached(control)?;
    let mut corpus: BTreeMap<_, _> =
        checked_in(target).into_iter().filter(|(name, _)| name.parse::<u32>().is_err()).collect();
    let seeds: Vec<Vec<u8>> = (target.seeds)().into_iter().map(|seed| seed.bytes).collect();
    let known = |input: &Input| seeds.contains(&input.bytes) || corpus.values().any(|it| *it == input.bytes);
    let known: Vec<Input> = inputs.extract_if(.., |input| known(input)).collect();
    let mut covered: BTreeSet<u64> = known.iter().flat_map(|input| &input.reaches).copied().collect();
    let mut room = BYTES_MAX - corpus.values().map(|bytes| line_length(bytes)).sum::<usize>();
    while corpus.len() < INPUTS_MAX {
        inputs.retain(|input| line_length(&input.bytes) <= room);
        inputs.iter_mut().for_each(|input| input.reaches.retain(|feature| !covered.contains(feature)));
        let best = inputs.iter().max_by_key(|input| (input.reaches.len(), Reverse(input.bytes.len())));
        let Some(best) = best.filter(|best| !best.reaches.is_empty()) else { break };
        room -= line_length(&best.bytes);
        covered.extend(&best.reaches);
        corpus.insert(format!("{:03}", corpus.len()), best.bytes.clone());
    }
    write(target, &corpus)?;
    Ok(corpus.len())
}

/// An input, and the features of the code that it reaches.
struct Input {
    bytes: Vec<u8>,
    reaches: BTreeSet<u64>,
}

/// Reads libFuzzer's control file: two counts, a path in each line, and for each input a line of features.
fn reached(control: &Path) -> io::Result<Vec<Input>> {
    let text = fs::read_to_string(control)?;
    let (head, results) = text.split_at(text.find("STARTED ").unwrap_or(text.len()));
    let paths: Vec<&str> = head.lines().skip(2).collect();
    let mut inputs = Vec::new();
    for line in results.lines().filter_map(|line| line.strip_prefix("FT ")) {
        let mut numbers = line.split(' ').filter_map(|number| number.parse().ok());
        let path = numbers.next().and_then(|number: u64| paths.get(usize::try_from(number).ok()?));
        let path = path.ok_or(io::Error::other("it is no control file of libFuzzer"))?;
        inputs.push(Input { bytes: fs::read(path)?, reaches: numbers.collect() });
    }
    Ok(inputs)
}

/// How much of the file an input takes.
fn line_length(bytes: &[u8]) -> usize {
    escape(bytes).len() + 40
}

fn write(target: &Target, corpus: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let lines = corpus.iter().map(|(name, bytes)| format!("{name} {}\n", escape(bytes)));
    fs::write(path(target), lines.collect::<String>())
}

/// Adds one input by a name that says what it broke.
pub fn keep(target: &Target, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut corpus = checked_in(target);
    corpus.insert(name.to_owned(), bytes.to_vec());
    write(target, &corpus)
}

/// An input as one word, for a message.
pub fn shown(bytes: &[u8]) -> String {
    escape(bytes)
}

fn path(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/{}.txt", target.name))
}
