//! The folder of the frozen vectors.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::vector::Vector;

/// What people write in the folder; everything else is made.
const WRITTEN: [&str; 5] = ["README.md", "check.py", "flags.toml", "payload.py", "payloads.txt"];

pub(crate) fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/vectors")
}

/// The files that are made, by path within the folder.
pub(crate) fn read_made() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let (root, mut folders) = (path(), vec![path()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if !WRITTEN.contains(&name.as_str()) {
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

/// The vectors that the manifest lists, from their files.
pub(crate) fn vectors() -> Vec<Vector> {
    let manifest: serde_json::Value = serde_json::from_str(&text("MANIFEST.json")).unwrap();
    let listed = manifest["vectors"].as_array().unwrap().iter();
    let files = listed.map(|entry| entry["file"].as_str().unwrap());
    let read =
        |file: &str| serde_json::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let vectors: Vec<Vector> = files.map(read).collect();
    assert!(!vectors.is_empty(), "an empty manifest proves nothing");
    vectors
}

pub(crate) fn text(file: &str) -> String {
    fs::read_to_string(path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Writes what is made, and removes what is not made any more.
#[expect(clippy::disallowed_methods, reason = "blessing writes the files; the core itself has no I/O")]
pub(crate) fn write(made: &BTreeMap<String, String>) {
    fs::create_dir_all(path()).unwrap();
    for name in read_made().keys().filter(|name| !made.contains_key(*name)) {
        fs::remove_file(path().join(name)).unwrap();
    }
    for (name, text) in made {
        let file = path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}
