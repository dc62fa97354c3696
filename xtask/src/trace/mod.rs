//! Traceability: every rule is a numbered sentence, every guard in the code cites one, every known
//! attack names the tests that keep it out, and every limit those that meet it from both sides.

mod attacks;
pub(crate) mod guards;
mod limits;
mod requirements;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::codegen::Registry;

/// The crates whose refusals cite a sentence.
const CITING: [&str; 3] = ["protocol/", "broker/", "client/"];

/// Those among them that only tests lean on: what they refuse, they refuse in a broker's place.
const FOR_TESTS: [&str; 3] = ["protocol/forge/", "broker/fuzz/", "broker/simulation/"];

/// Whether the refusals of that file cite a sentence and are held to it.
pub(crate) fn is_citing(path: &str) -> bool {
    let among = |folders: [&str; 3]| folders.iter().any(|folder| path.starts_with(folder));
    among(CITING) && !among(FOR_TESTS)
}

/// The table that answers each known attack.
const ATTACKS: &str = "spec/security.md";

/// Where the vectors lie, a folder for each operation.
const VECTORS: &str = "conformance/vectors";

/// One thing that is wrong, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A text file and its path from the workspace.
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) content: String,
}

impl Text {
    fn problem(&self, line: usize, what: impl Into<String>) -> Problem {
        Problem { file: self.path.clone(), line, what: what.into() }
    }

    /// The lines, counted from one.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.content.lines())
    }
}

/// Fails with one line for each problem.
pub(crate) fn run(root: &Path) -> Result<(), Box<dyn Error>> {
    let spec = texts(root, &root.join("spec"), "md", false)?;
    let code = texts(root, root, "rs", true)?;
    if spec.is_empty() {
        println!("trace: spec/ holds no text yet, so there is nothing to hold the code against");
        return Ok(());
    }
    let (requirements, problems) = trace(&spec, &code, &vectors(root)?, &Registry::read(root)?);
    if problems.is_empty() {
        println!("trace: {requirements} requirements, no problem");
        return Ok(());
    }
    Err(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n").into())
}

/// The number of requirements, and every problem in order of place.
fn trace(
    spec: &[Text],
    code: &[Text],
    vectors: &BTreeSet<String>,
    reasons: &Registry,
) -> (usize, BTreeSet<Problem>) {
    let mut problems = BTreeSet::new();
    let mut requirements = BTreeMap::new();
    for text in spec {
        for (line, id) in requirements::read(text, reasons, &mut problems) {
            let place = format!("{}:{line}", text.path);
            if let Some(first) = requirements.get(&id) {
                problems.insert(text.problem(line, format!("{id} is used already, at {first}")));
            } else {
                requirements.insert(id, place);
            }
        }
    }
    let known: BTreeSet<&str> = requirements.keys().map(String::as_str).collect();
    for text in code.iter().filter(|text| is_citing(&text.path)) {
        for guard in guards::read(text).iter().filter(|guard| !known.contains(guard.id)) {
            let what = format!("{} is no requirement of spec/", guard.id);
            problems.insert(text.problem(guard.id_line, what));
        }
    }
    let functions = guards::functions(code);
    for text in
        code.iter().filter(|text| text.path.ends_with("/limits.rs") && !text.path.starts_with("xtask/"))
    {
        limits::check(text, &functions, &mut problems);
    }
    match spec.iter().find(|text| text.path == ATTACKS) {
        Some(text) => {
            let known = attacks::Known { requirements: known, tests: guards::tests(code), vectors };
            attacks::check(text, &known, &mut problems);
        }
        None => {
            let what = format!("does not exist; it answers attacks 1 to {}", attacks::COUNT);
            problems.insert(Problem { file: ATTACKS.into(), line: 1, what });
        }
    }
    (requirements.len(), problems)
}

/// The vectors, as `folder.name`.
fn vectors(root: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let files = texts(root, &root.join(VECTORS), "json", true)?;
    let named = |text: &Text| {
        let path = text.path.strip_prefix(VECTORS)?.strip_prefix('/')?.strip_suffix(".json")?;
        Some(path.replacen('/', ".", 1))
    };
    Ok(files.iter().filter_map(named).collect())
}

/// The files with that extension in a folder and, if `deep`, in the folders beneath it. What is
/// hidden, linked to or built is not ours.
pub(crate) fn texts(
    root: &Path,
    folder: &Path,
    extension: &str,
    deep: bool,
) -> Result<Vec<Text>, Box<dyn Error>> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.into()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            let name = entry.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?;
            if kind.is_dir() && deep && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|found| found == extension) {
                let content = fs::read_to_string(&path)?;
                texts.push(Text { path: path.strip_prefix(root)?.display().to_string(), content });
            }
        }
    }
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(texts)
}

#[cfg(test)]
mod tests;
