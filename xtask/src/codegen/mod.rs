//! The files that follow from `spec/` alone. They are checked in, so that nobody needs a generator
//! to build or to read them; `--check` holds them to their source.

mod machines;
mod proto;
mod reasons;

use std::{
    error::Error,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

pub(crate) use reasons::Registry;

/// A generated file; its path is relative to the workspace.
struct Generated {
    path: &'static str,
    content: Vec<u8>,
}

/// Writes every generated file that differs from what `spec/` says.
pub(crate) fn write(root: &Path) -> Result<(), Box<dyn Error>> {
    for file in stale(root)? {
        let path = root.join(file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, file.content)?;
        println!("codegen: wrote {}", file.path);
    }
    Ok(())
}

/// Fails, naming the files, if [`write`] would change any.
pub(crate) fn check(root: &Path) -> Result<(), Box<dyn Error>> {
    let stale: Vec<_> = stale(root)?.iter().map(|file| file.path).collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("codegen: not what spec/ says; run `cargo xtask codegen`: {}", stale.join(", ")).into())
}

/// The generated files whose checked-in copy is absent or differs.
fn stale(root: &Path) -> Result<Vec<Generated>, Box<dyn Error>> {
    let mut files = generate(root)?;
    files.retain(|file| fs::read(root.join(file.path)).ok().as_ref() != Some(&file.content));
    Ok(files)
}

fn generate(root: &Path) -> Result<Vec<Generated>, Box<dyn Error>> {
    let registry = Registry::read(root)?;
    let mut files = vec![Generated {
        path: "protocol/src/refusal/reasons.rs",
        content: rustfmt(root, &registry.render()?)?,
    }];
    for (name, path) in
        [("negotiation", "protocol/src/negotiation/table.rs"), ("contract", "protocol/src/contract/table.rs")]
    {
        let source = format!("spec/machines/{name}.toml");
        let table = machines::compile(name, &read(root, &source)?, &registry)
            .map_err(|error| format!("{source}: {error}"))?;
        files.push(Generated { path, content: rustfmt(root, &table)? });
    }
    files.extend(proto::generate(root)?);
    Ok(files)
}

/// Reads a text file of the workspace; the error names it.
fn read(root: &Path, path: &str) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}").into())
}

/// Formats Rust as `cargo fmt` would, so that generated files pass the check that written ones do.
fn rustfmt(root: &Path, source: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut child = Command::new("rustfmt")
        .arg("--config-path")
        .arg(root)
        .args(["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("rustfmt: {error}"))?;
    // Taken, so that it closes and rustfmt sees the end; it writes nothing before it has read all.
    child.stdin.take().ok_or("rustfmt has no standard input")?.write_all(source.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err("rustfmt refused generated code".into());
    }
    Ok(output.stdout)
}

/// `NOT_FOUND` and `delegatee.request` as Rust names: `NotFound`, `DelegateeRequest`.
fn camel(name: &str) -> String {
    name.split(['_', '.'])
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
        })
        .collect()
}
