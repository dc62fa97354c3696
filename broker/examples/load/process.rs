//! This program in another role: told what to do by lines, and answering by lines.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

pub(crate) struct Process {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(arguments: &[String]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, commands, answers }
    }

    /// What it says next.
    pub(crate) async fn line(&mut self) -> String {
        self.answers.next_line().await.unwrap().expect("the process goes on")
    }

    pub(crate) async fn ask(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().unwrap();
        commands.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        self.line().await
    }

    /// Seconds of the processor that it has used, in all its threads.
    pub(crate) fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap())).unwrap();
        // The name of the program may hold anything, but it ends with the last parenthesis.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap());
        // USER_HZ is 100 on every Linux that there is.
        ticks.sum::<f64>() / 100.0
    }

    /// Bytes of memory that it has.
    pub(crate) fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id().unwrap())).unwrap();
        let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size() as u64
    }

    pub(crate) async fn end(mut self) {
        drop(self.commands.take());
        let _ = self.child.wait().await;
    }
}

/// The lines that this process is told, until it is to end.
pub(crate) fn commands() -> Lines<BufReader<tokio::io::Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}

/// Says something to whoever started this process.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    println!("{line}");
    std::io::stdout().flush().unwrap();
}
