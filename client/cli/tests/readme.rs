//! The README's "A broker of your own", line by line, with the real programs in an empty directory.
//!
//! A program of its own, so that it can be `countersignd` too: this package builds only `countersign`.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use countersign_protocol::join_token::JoinToken;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
/// Says that this process is to be `countersignd`.
const ROLE: &str = "COUNTERSIGN_README_ROLE";
/// Longer than a broker takes to start.
const SOON: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if env::var_os(ROLE).is_some() {
        return countersign_broker::command::run(env::args_os());
    }
    a_broker_of_your_own_is_made_as_the_readme_says();
    ExitCode::SUCCESS
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_broker_of_your_own_is_made_as_the_readme_says() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut running = None;
    let lines = commands();
    assert!(lines.len() > 4, "{lines:?}");
    for line in lines {
        for command in line.split(" && ") {
            match command.strip_suffix(" &") {
                Some(command) => running = Some(start(directory, command)),
                None if command.starts_with("cargo build") => {}
                None => run(directory, command),
            }
            if command.starts_with("countersignd init") {
                take_free_ports(directory);
            }
        }
    }
    assert!(running.is_some(), "a broker runs");
    let token = fs::read_to_string(directory.join("planner.token")).unwrap();
    let token: JoinToken = token.trim().parse().unwrap();
    assert_eq!(token.principal.as_str(), "spiffe://dev.acme.example/agent/planner");
    for command in ["countersign graph tree", "countersign ledger audit"] {
        run(directory, command);
    }
}

/// The lines of that part, without what is said beside them.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(README).unwrap();
    let part = readme.split("## A broker of your own").nth(1).unwrap();
    let block = part.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|line| line.split('#').next().unwrap().trim().to_owned()).collect()
}

fn program(directory: &Path, command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut program = match words.next().unwrap() {
        "countersign" => Command::new(env!("CARGO_BIN_EXE_countersign")),
        "countersignd" => {
            let mut broker = Command::new(env::current_exe().unwrap());
            broker.env(ROLE, "countersignd");
            broker
        }
        other => panic!("{other} is not a program of ours"),
    };
    program.args(words).current_dir(directory).env("COUNTERSIGN_HOME", directory.join("sessions"));
    program.env_remove("COUNTERSIGN_CONFIG").env_remove("COUNTERSIGN_DOMAIN");
    program
}

fn run(directory: &Path, command: &str) {
    let output = program(directory, command).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command}: {said}");
}

/// Starts a broker, and waits until it listens.
fn start(directory: &Path, command: &str) -> Running {
    let running = Running(program(directory, command).stderr(Stdio::null()).spawn().unwrap());
    let settings = fs::read_to_string(directory.join("countersign.toml")).unwrap();
    let begun = Instant::now();
    let listens = |line: &&str| line.starts_with("listen") || line.starts_with("enrolment_listen");
    for address in settings.lines().filter(listens).filter_map(|line| line.split('"').nth(1)) {
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < SOON, "{command} does not listen");
            sleep(Duration::from_millis(20));
        }
    }
    running
}

/// The usual ports may be taken where this runs. The join token names them, so it is made anew.
fn take_free_ports(directory: &Path) {
    let path = directory.join("countersign.toml");
    let listeners = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let [api, enrolment] = listeners.map(|listener| listener.local_addr().unwrap().to_string());
    let settings = fs::read_to_string(&path).unwrap();
    assert!(settings.contains("127.0.0.1:7443") && settings.contains("127.0.0.1:7444"), "{settings}");
    let settings = settings.replace("127.0.0.1:7443", &api).replace("127.0.0.1:7444", &enrolment);
    fs::write(path, settings).unwrap();
    fs::remove_file(directory.join("you.token")).unwrap();
    run(
        directory,
        "countersignd admin-token spiffe://dev.acme.example/human/you --join-token-file you.token",
    );
}
