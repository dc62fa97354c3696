//! `spec/errors.toml` → `protocol/src/refusal/reasons.rs`.

use std::{collections::BTreeMap, error::Error, fmt::Write as _, fs, path::Path};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    retry: String,
    stranger: Option<String>,
    message: String,
    hint: String,
}

/// Writes the enumeration of reasons.
pub(crate) fn generate() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let registry: BTreeMap<String, Entry> =
        toml::from_str(&fs::read_to_string(root.join("spec/errors.toml"))?)?;
    for (name, entry) in &registry {
        if let Some(stranger) = &entry.stranger
            && !registry.contains_key(stranger)
        {
            return Err(format!("{name}: stranger = {stranger:?} is not a reason").into());
        }
    }
    fs::write(root.join("protocol/src/refusal/reasons.rs"), render(&registry)?)?;
    Ok(())
}

fn render(registry: &BTreeMap<String, Entry>) -> Result<String, Box<dyn Error>> {
    let mut out = String::from(
        "// Generated from spec/errors.toml by `cargo xtask codegen`. Do not edit.\n\nuse super::Retry;\n\n\
         /// A reason from the closed registry `spec/errors.toml`.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]\npub enum Reason {\n",
    );
    for (name, entry) in registry {
        writeln!(out, "    /// {}\n    {},", entry.message, camel(name))?;
    }
    out.push_str("}\n\nimpl Reason {\n    /// Every reason.\n    pub const ALL: &[Reason] = &[\n");
    for name in registry.keys() {
        writeln!(out, "        Reason::{},", camel(name))?;
    }
    out.push_str("    ];\n");
    table(&mut out, registry, "name", "&'static str", "The name on the wire.", |name, _| {
        format!("{name:?}")
    })?;
    table(&mut out, registry, "grpc_code", "i32", "The gRPC status code's number.", |_, entry| {
        grpc_code(&entry.code).to_string()
    })?;
    table(&mut out, registry, "retry", "Retry", "How a caller may try again.", |_, entry| {
        format!("Retry::{}", camel(&entry.retry.to_uppercase()))
    })?;
    table(&mut out, registry, "stranger", "Reason", "What a stranger is told instead.", |name, entry| {
        format!("Reason::{}", camel(entry.stranger.as_deref().unwrap_or(name)))
    })?;
    table(
        &mut out,
        registry,
        "message",
        "&'static str",
        "A sentence that a person can act on.",
        |_, entry| format!("{:?}", entry.message),
    )?;
    table(&mut out, registry, "hint", "&'static str", "What to do next.", |_, entry| {
        format!("{:?}", entry.hint)
    })?;
    out.push_str(
        "\n    /// The reason with that name.\n    pub fn from_name(name: &str) -> Option<Self> {\n        \
         Self::ALL.iter().copied().find(|reason| reason.name() == name)\n    }\n}\n",
    );
    Ok(out)
}

fn table(
    out: &mut String,
    registry: &BTreeMap<String, Entry>,
    function: &str,
    returns: &str,
    doc: &str,
    value: impl Fn(&str, &Entry) -> String,
) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "\n    /// {doc}\n    pub const fn {function}(self) -> {returns} {{\n        match self {{"
    )?;
    for (name, entry) in registry {
        writeln!(out, "            Reason::{} => {},", camel(name), value(name, entry))?;
    }
    out.push_str("        }\n    }\n");
    Ok(())
}

fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(usize::from(!word.is_empty()));
            format!("{first}{}", rest.to_lowercase())
        })
        .collect()
}

fn grpc_code(name: &str) -> i32 {
    const CODES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    CODES.iter().position(|code| *code == name).map_or(2, |position| position as i32)
}
