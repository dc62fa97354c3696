//! A process of the story: this same program in another role.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
};

use crate::{
    page,
    script::{Command, Message, Outcome},
};

pub(crate) struct Process {
    name: &'static str,
    child: Child,
    commands: Option<ChildStdin>,
    answers: mpsc::UnboundedReceiver<Message>,
}

impl Process {
    /// Starts it. It ends with the story, however the story ends.
    pub(crate) fn start(name: &'static str) -> Outcome<Self> {
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let commands = child.stdin.take();
        let said = child.stdout.take().ok_or("a process without output")?;
        let (sender, answers) = mpsc::unbounded_channel();
        tokio::spawn(listen(name, said, sender));
        page::line(name, format!("process {}", child.id().unwrap_or_default()));
        Ok(Self { name, child, commands, answers })
    }

    /// Tells it to do something, without waiting.
    pub(crate) async fn tell(&mut self, command: &Command) -> Outcome<()> {
        let commands = self.commands.as_mut().ok_or("the process has been told to end")?;
        let line = serde_json::to_string(command)? + "\n";
        Ok(commands.write_all(line.as_bytes()).await?)
    }

    /// Its next answer.
    pub(crate) async fn answer(&mut self) -> Outcome<Result<Value, (Option<String>, String)>> {
        match self.answers.recv().await {
            Some(Message::Done(value)) => Ok(Ok(value)),
            Some(Message::Failed { reason, text }) => Ok(Err((reason, text))),
            _ => Err(format!("{} went away without an answer", self.name).into()),
        }
    }

    /// Has something done, which has to succeed.
    pub(crate) async fn ask(&mut self, command: &Command) -> Outcome<Value> {
        self.tell(command).await?;
        self.done().await
    }

    /// Waits for the end of what it was told before, which has to succeed.
    pub(crate) async fn done(&mut self) -> Outcome<Value> {
        let name = self.name;
        self.answer().await?.map_err(|(_, text)| format!("{name}: {text}").into())
    }

    /// Has something tried that has to be refused for this reason.
    pub(crate) async fn refused(&mut self, attempt: &str, command: &Command, expected: &str) -> Outcome<()> {
        self.tell(command).await?;
        self.was_refused(attempt, expected).await
    }

    /// Waits for the end of what it was told before, which has to be refused for this reason.
    pub(crate) async fn was_refused(&mut self, attempt: &str, expected: &str) -> Outcome<()> {
        match self.answer().await? {
            Err((Some(reason), _)) if reason == expected => {
                page::refused(&reason, attempt);
                Ok(())
            }
            Err((reason, text)) => {
                let reason = reason.unwrap_or_else(|| "no reason".into());
                Err(format!("{attempt}: expected {expected}, got {reason}: {text}").into())
            }
            Ok(value) => Err(format!("{attempt}: expected {expected}, but it was done: {value}").into()),
        }
    }

    /// Ends it and waits until it has ended by itself.
    pub(crate) async fn end(mut self) -> Outcome<()> {
        drop(self.commands.take());
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", self.name).into()) }
    }
}

/// Shows notes as they come and passes answers on.
async fn listen(name: &'static str, said: ChildStdout, answers: mpsc::UnboundedSender<Message>) {
    let mut lines = BufReader::new(said).lines();
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            // Somebody who does the same again and again is shown once.
            Ok(Message::Note(text)) if text == last => {}
            Ok(Message::Note(text)) => {
                page::line(name, &text);
                last = text;
            }
            Ok(message) => drop(answers.send(message)),
            Err(_) => page::line(name, line),
        }
    }
}
