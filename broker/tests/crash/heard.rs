//! What the broker says of itself while it runs.

use std::{
    io::{BufRead as _, BufReader},
    process::ChildStderr,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

/// Its log, as it is written.
pub(crate) struct Heard {
    news: Arc<Mutex<News>>,
    reader: JoinHandle<()>,
}

/// What was heard by now.
#[derive(Clone, Default)]
pub(crate) struct News {
    pub(crate) log: String,
    /// How often it began to serve.
    pub(crate) serving: u64,
    /// Of how many entries the snapshot was that this start went on from.
    pub(crate) recalled: u64,
    /// Snapshots that it began to keep,
    pub(crate) begun: u64,
    /// and those of which that came to an end.
    pub(crate) ended: u64,
}

impl News {
    /// Whether it was keeping a snapshot when it said the last of this.
    pub(crate) fn is_keeping(&self) -> bool {
        self.begun > self.ended
    }

    fn hear(&mut self, line: &str) {
        self.serving += u64::from(line.contains("\"serving\""));
        self.begun += u64::from(line.contains("a snapshot of the state is made"));
        self.ended += u64::from(line.contains("snapshot of the state is kept"));
        self.recalled = number_after(line, "\"from_snapshot\":").unwrap_or(self.recalled);
        self.log.push_str(line);
    }
}

impl Heard {
    pub(crate) fn listen(stderr: ChildStderr) -> Self {
        let news = Arc::<Mutex<News>>::default();
        let shared = Arc::clone(&news);
        let reader = thread::spawn(move || {
            let (mut stderr, mut line) = (BufReader::new(stderr), String::new());
            while stderr.read_line(&mut line).unwrap_or(0) > 0 {
                shared.lock().unwrap().hear(&line);
                line.clear();
            }
        });
        Self { news, reader }
    }

    /// What was heard so far.
    pub(crate) fn so_far(&self) -> News {
        self.news.lock().unwrap().clone()
    }

    /// All that it said before it ended.
    pub(crate) fn until_it_ended(self) -> News {
        self.reader.join().unwrap();
        std::mem::take(&mut *self.news.lock().unwrap())
    }
}

fn number_after(line: &str, key: &str) -> Option<u64> {
    let digits: String = line.split_once(key)?.1.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
