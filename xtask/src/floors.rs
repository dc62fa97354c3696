//! The floors of the house: which crate may lean on which. A crate leans only on floors below its
//! own, and the lower ones stay free of sockets, runtimes and TLS.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::PathBuf,
    process::Command,
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What a crate may lean on.
struct Floor {
    /// The crate's name; with a `*` at its end, the beginning of it.
    name: &'static str,
    /// The crates of this workspace that it may name as a dependency.
    ours: Ours,
    /// The crates that it may not reach, by however many steps.
    never: &'static [&'static str],
    /// The features with which it is held to that.
    features: &'static [&'static str],
}

enum Ours {
    Only(&'static [&'static str]),
    Any,
}

use Ours::{Any, Only};

/// What brings a runtime, a socket, TLS or a disk.
const IMPURE: &[&str] = &["tokio", "tonic", "hyper", "rustls", "mio", "sled", "reqwest"];
const DEFAULT: &[&str] = &[];
const ALL: &[&str] = &["--all-features"];

const FLOORS: &[Floor] = &[
    Floor { name: "countersign-wire", ours: Only(&[]), never: IMPURE, features: DEFAULT },
    Floor { name: "countersign-protocol", ours: Only(&["countersign-wire"]), never: IMPURE, features: ALL },
    // Builds what tests need; nothing that ships leans on it.
    Floor { name: "countersign-forge", ours: Only(&["countersign-protocol"]), never: IMPURE, features: ALL },
    Floor { name: "countersign-store", ours: Only(&["countersign-protocol"]), never: &[], features: ALL },
    // The core and the memory engine in virtual time; nothing that ships leans on it.
    Floor {
        name: "countersign-simulation",
        ours: Only(&["countersign-forge", "countersign-protocol", "countersign-store"]),
        never: &[],
        features: ALL,
    },
    Floor {
        name: "countersign-broker",
        ours: Only(&["countersign-wire", "countersign-protocol", "countersign-store"]),
        never: &[],
        features: ALL,
    },
    Floor {
        name: "countersign",
        ours: Only(&["countersign-wire", "countersign-protocol"]),
        never: &[],
        features: ALL,
    },
    Floor {
        name: "countersign-cli",
        ours: Only(&["countersign", "countersign-wire", "countersign-protocol"]),
        never: &[],
        features: ALL,
    },
    // It judges implementations by the specification, so it shares no code with ours.
    Floor {
        name: "countersign-conformance*",
        ours: Only(&["countersign-wire", "countersign-conformance*"]),
        never: &["countersign-protocol", "countersign-store", "countersign-broker", "countersign"],
        features: ALL,
    },
    Floor { name: "countersign-examples", ours: Any, never: &[], features: ALL },
    // Reaches whatever a peer can reach.
    Floor { name: "countersign-fuzz", ours: Any, never: &[], features: ALL },
    Floor { name: "xtask", ours: Only(&[]), never: &[], features: ALL },
];

impl Floor {
    fn of(package: &str) -> Option<&'static Floor> {
        FLOORS.iter().find(|floor| matches(floor.name, package))
    }

    /// The direct dependencies on our own crates that this floor does not allow.
    fn direct<'a>(&self, package: &str, ours: impl Iterator<Item = &'a str>) -> Vec<String> {
        let Only(allowed) = self.ours else { return Vec::new() };
        ours.filter(|name| !allowed.iter().any(|pattern| matches(pattern, name)))
            .map(|name| format!("{package} → {name}: its floor allows {allowed:?} of ours"))
            .collect()
    }

    /// The first way to each crate that this floor never reaches, in the output of
    /// `cargo tree --prefix depth`.
    fn reached(&self, tree: &str) -> Vec<String> {
        let mut way: Vec<&str> = Vec::new();
        let mut ways = BTreeMap::new();
        for line in tree.lines() {
            let (depth, package) = line.split_once(' ').expect("a depth and a package");
            way.truncate(depth.parse().expect("a number"));
            way.push(package.split(' ').next().expect("a name"));
            for name in self.never.iter().filter(|name| way.last() == Some(name)) {
                ways.entry(name).or_insert_with(|| way.join(" → "));
            }
        }
        ways.iter().map(|(name, way)| format!("{way}: its floor never reaches {name}")).collect()
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// What a package reaches by normal and build dependencies on this machine. Resolved for it alone, so
/// that a feature which another crate asks for is not counted.
fn tree(manifest: &PathBuf, package: &str, features: &[&str]) -> String {
    let cargo = env::var_os("CARGO").expect("cargo runs the tests");
    let output = Command::new(cargo)
        .args(["tree", "--edges", "normal,build", "--prefix", "depth", "--format", " {p}"])
        .arg("--manifest-path")
        .arg(manifest)
        .args(["--package", package])
        .args(features)
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("names are text")
}

#[test]
fn no_crate_crosses_its_floor() {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let manifest = PathBuf::from(package).join("../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(&manifest).no_deps().exec().expect("cargo metadata");
    let packages = metadata.workspace_packages();
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();

    let mut crossings = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let Some(floor) = Floor::of(name) else {
            crossings.push(format!("{name} has no floor: give it one in xtask/src/floors.rs"));
            continue;
        };
        let ours = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.as_str())
            .filter(|name| members.contains(name));
        crossings.extend(floor.direct(name, ours));
        if !floor.never.is_empty() {
            crossings.extend(floor.reached(&tree(&manifest, name, floor.features)));
        }
    }
    assert!(crossings.is_empty(), "\n{}\n", crossings.join("\n"));
}

#[test]
fn a_dependency_on_a_higher_floor_is_named() {
    let client = Floor::of("countersign").unwrap();
    assert_eq!(client.direct("countersign", ["countersign-wire"].into_iter()), [""; 0]);
    let crossings = client.direct("countersign", ["countersign-store"].into_iter());
    assert!(crossings[0].starts_with("countersign → countersign-store: "), "{crossings:?}");
}

#[test]
fn the_way_to_a_forbidden_crate_is_named() {
    let tree = "0 countersign-protocol v0.1.0\n1 biscuit v6\n2 rand v0.8\n1 helper v1\n2 tokio v1\n3 mio v1\n1 tokio v1 (*)";
    assert_eq!(
        Floor::of("countersign-protocol").unwrap().reached(tree),
        [
            "countersign-protocol → helper → tokio → mio: its floor never reaches mio",
            "countersign-protocol → helper → tokio: its floor never reaches tokio",
        ]
    );
}

#[test]
fn conformance_crates_share_a_floor_by_their_name() {
    let floor = Floor::of("countersign-conformance-mutants").unwrap();
    let allowed = ["countersign-wire", "countersign-conformance"];
    assert_eq!(floor.direct("c", allowed.into_iter()), [""; 0]);
    for never in ["countersign-protocol", "countersign-broker", "countersign-store", "countersign"] {
        assert_eq!(floor.direct("c", [never].into_iter()).len(), 1);
    }
}
