//! The tests, built so that a guard can be off, and what they make refuse.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cargo_metadata::Message;

/// What the core of such a build reads.
const OFF: &str = "COUNTERSIGN_GUARD_OFF";
const LOG: &str = "COUNTERSIGN_GUARD_LOG";

/// No run of one binary with all guards on takes longer.
const LONGEST: Duration = Duration::from_secs(600);

/// How often a running binary is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// Per place that refused: the tests of each binary, by its index, that made it. A thread that is no
/// test's is `None`.
pub(super) type Sightings = BTreeMap<String, BTreeMap<usize, BTreeSet<Option<String>>>>;

/// Tests that kill and time processes. What turns them red is the machine as often as the code, so they
/// are not asked whether they miss a guard.
const ASIDE: [&str; 2] = ["crash", "pressure"];

/// Test binaries in the order in which they are run.
pub(super) struct Suite(Vec<Binary>);

struct Binary {
    executable: PathBuf,
    /// The package's folder, where its tests expect to be.
    folder: PathBuf,
}

impl Suite {
    pub(super) fn build(root: &Path, packages: &[&str]) -> Result<Self, Box<dyn Error>> {
        println!("guards: building the tests of {}", packages.join(", "));
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.current_dir(root).args(["test", "--no-run", "--quiet", "--lib", "--bins", "--tests"]);
        cargo.args(["--features", "countersign-protocol/guards-off,countersign-protocol/toml"]);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        packages.iter().for_each(|package| {
            cargo.args(["--package", package]);
        });
        let output = cargo.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("guards: the tests do not build".into());
        }
        let mut binaries = Vec::new();
        for message in Message::parse_stream(output.stdout.as_slice()) {
            if let Message::CompilerArtifact(artifact) = message?
                && artifact.profile.test
                && !ASIDE.contains(&&*artifact.target.name)
                && let Some(executable) = artifact.executable
            {
                let folder = artifact.manifest_path.parent().ok_or("a manifest without a folder")?;
                binaries.push(Binary { executable: executable.into(), folder: folder.into() });
            }
        }
        Ok(Self(binaries))
    }

    /// Runs everything once, all guards on, and reads who made what refuse.
    pub(super) fn sightings(&self) -> Result<Sightings, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let mut sightings = Sightings::new();
        for (index, binary) in self.0.iter().enumerate() {
            let name = binary.executable.display();
            let tests = binary.tests()?;
            let log = folder.path().join(index.to_string());
            let said = log.with_extension("out");
            let mut run = binary.command(&[]);
            run.env(LOG, &log).stdout(fs::File::create(&said)?);
            if !finishes_green(run.spawn()?, LONGEST)? {
                print!("{}", String::from_utf8_lossy(&fs::read(said)?));
                return Err(format!("guards: {name} is red with every guard on").into());
            }
            let log = if log.exists() { fs::read_to_string(log)? } else { String::new() };
            for (place, thread) in log.lines().filter_map(|line| line.split_once('\t')) {
                let test = tests.contains(thread).then(|| thread.to_owned());
                sightings.entry(place.into()).or_default().entry(index).or_default().insert(test);
            }
        }
        Ok(sightings)
    }

    /// Whether tests of a binary turn red, or never end, with the guard at that place off. Without a
    /// name, all of them are run.
    pub(super) fn turns_red(&self, index: usize, tests: &[&str], place: &str) -> io::Result<bool> {
        let Some(binary) = self.0.get(index) else { return Ok(false) };
        let mut run = binary.command(tests);
        let limit = if tests.is_empty() { LONGEST } else { LONGEST / 5 };
        Ok(!finishes_green(run.env(OFF, place).spawn()?, limit)?)
    }
}

impl Binary {
    fn command(&self, tests: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        // A test that runs on the main thread would not be known by its thread's name.
        command.arg("--test-threads=2");
        if !tests.is_empty() {
            command.arg("--exact").args(tests);
        }
        // A mutant's answers must not become golden, nor its failures be kept or made smaller.
        command.env_remove("COUNTERSIGN_BLESS").env_remove(OFF).env_remove(LOG);
        command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true").env("PROPTEST_MAX_SHRINK_ITERS", "0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn tests(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let output = Command::new(&self.executable).args(["--list", "--format", "terse"]).output()?;
        let list = String::from_utf8(output.stdout)?;
        Ok(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

fn finishes_green(mut child: Child, limit: Duration) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(PAUSE);
    }
}
