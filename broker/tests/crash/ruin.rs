//! What becomes, between a kill and the next start, of what is derived from the ledger: the start must
//! not need it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use rand::{Rng as _, rngs::StdRng};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ruin {
    /// It stays as it is.
    None,
    Deleted,
    /// Some bytes of each file are others.
    Garbled,
    /// Each file ends earlier.
    Cut,
}

impl Ruin {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        match rng.gen_range(0..6) {
            0 => Self::Deleted,
            1 => Self::Garbled,
            2 => Self::Cut,
            _ => Self::None,
        }
    }

    /// Does that to it if it is there, and says what was done.
    pub(crate) fn bring(self, ledger: &Path, rng: &mut StdRng) -> Self {
        let derived = ledger.join("derived");
        match self {
            _ if !derived.exists() => return Self::None,
            Self::None => {}
            Self::Deleted => fs::remove_dir_all(&derived).unwrap(),
            Self::Garbled => files(&derived).iter().for_each(|file| garble(file, rng)),
            Self::Cut => files(&derived).iter().for_each(|file| cut(file, rng)),
        }
        self
    }
}

fn garble(file: &Path, rng: &mut StdRng) {
    let mut bytes = fs::read(file).unwrap();
    // sled leaves much of its file empty, and begins at its beginning.
    let from = rng.gen_range(0..bytes.len().clamp(1, 4_096));
    let count = rng.gen_range(1..2_000);
    bytes.iter_mut().skip(from).take(count).for_each(|byte| *byte = rng.r#gen());
    fs::write(file, bytes).unwrap();
}

fn cut(file: &Path, rng: &mut StdRng) {
    let length = fs::metadata(file).unwrap().len();
    let kept = rng.gen_range(0..length.max(1));
    fs::File::options().write(true).open(file).unwrap().set_len(kept).unwrap();
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

impl fmt::Display for Ruin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "left",
            Self::Deleted => "deleted",
            Self::Garbled => "garbled",
            Self::Cut => "cut",
        })
    }
}
