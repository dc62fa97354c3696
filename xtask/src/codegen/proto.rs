//! `spec/proto/countersign/v1/*.proto` → the messages and stubs of `countersign-wire`.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;

use super::{Generated, rustfmt};

const PACKAGE: &str = "countersign.v1";

const HEADER: &str = "// Generated from spec/proto by `cargo xtask codegen`. Do not edit.\n\n";

/// Stubs bring tonic, and with it a runtime; who only wants the messages does not pay for them.
const STUBS: &str = "#[cfg(feature = \"service\")]";

/// The Rust code, and the descriptor set from which a server answers gRPC reflection.
pub(super) fn generate(root: &Path) -> Result<[Generated; 2], Box<dyn Error>> {
    let include = root.join("spec/proto");
    let mut set = protox::compile(sources(&include.join("countersign/v1"))?, [&include])?;
    for file in &set.file {
        if file.name().starts_with("countersign/") && file.package() != PACKAGE {
            return Err(format!("{}: its package is not {PACKAGE}", file.name()).into());
        }
    }

    let out = tempfile::tempdir()?;
    tonic_prost_build::configure()
        // A stub's own `connect` would take any channel; ours come from the verified TLS set-up.
        .build_transport(false)
        .client_mod_attribute(".", STUBS)
        .server_mod_attribute(".", STUBS)
        .out_dir(out.path())
        .compile_fds(set.clone())?;
    let code = HEADER.to_owned() + &fs::read_to_string(out.path().join(format!("{PACKAGE}.rs")))?;

    // Comments are for the reader of the sources; reflection needs the shapes alone.
    for file in &mut set.file {
        file.source_code_info = None;
    }
    Ok([
        Generated { path: "protocol/wire/src/gen/countersign.v1.rs", content: rustfmt(root, &code)? },
        Generated { path: "protocol/wire/src/gen/descriptor.bin", content: set.encode_to_vec() },
    ])
}

/// The folder's `.proto` files, in one order on every machine.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
