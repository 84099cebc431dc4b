//! The question whether someone else is to be signed in than before. A person answers it where the sign-in is shown: in
//! the browser, or on this terminal if the sign-in needs no browser here.

use std::io::{self, IsTerminal as _, Write as _};

use tokio::sync::oneshot;

use super::output::say;
use crate::admin::status_api::UnconfirmedSignIn;

/// The question, once it is asked.
pub(super) struct LoginQuestion {
    is_asked_here: bool,
    is_asked: bool,
    /// What a person should know who does not confirm it.
    kept: String,
    answer: Option<oneshot::Receiver<bool>>,
}

impl LoginQuestion {
    pub(super) const fn new(is_asked_here: bool) -> Self {
        Self {
            is_asked_here,
            is_asked: false,
            kept: String::new(),
            answer: None,
        }
    }

    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// What a person should know who has not confirmed it.
    pub(super) fn kept(self) -> String {
        self.kept
    }

    /// Asks, unless that has been done.
    pub(super) fn ask(&mut self, change: &UnconfirmedSignIn) {
        if std::mem::replace(&mut self.is_asked, true) {
            return;
        }
        let before = change.before.as_deref().unwrap_or("someone else");
        let now = match &change.who {
            Some(who) => format!("You have signed in as {who}, but {before} is signed in"),
            None => format!("Your token does not say who you are, and {before} is signed in"),
        };
        self.kept = format!("{before} stays signed in");
        if !self.is_asked_here {
            say(&format!("{now}. Confirm the change in the browser."));
        } else if io::stdin().is_terminal() {
            self.answer = Some(read_answer(&format!("{now}. Replace {before}? [y/N] ")));
        } else {
            self.kept += "; to change that, sign out first with `cupbearer logout`, or repeat this with --yes";
            let (no, answer) = oneshot::channel();
            let _ = no.send(false); // just created
            self.answer = Some(answer);
        }
    }

    /// Completes with the answer, once.
    pub(super) async fn answered(&mut self) -> bool {
        let Some(answer) = &mut self.answer else {
            return std::future::pending().await;
        };
        let is_confirmed = answer.await.unwrap_or(false);
        self.answer = None;
        is_confirmed
    }
}

/// Reads the answer in a thread of its own, which ends with the process: a read of the runtime would have to end first.
fn read_answer(question: &str) -> oneshot::Receiver<bool> {
    let mut err = io::stderr();
    let _closed = err
        .write_all(question.as_bytes())
        .and_then(|()| err.flush());
    let (sender, answer) = oneshot::channel();
    let reader = std::thread::Builder::new().name("answer".to_owned());
    let _ = reader.spawn(move || {
        let mut line = String::new();
        let is_read = io::stdin().read_line(&mut line).is_ok();
        let _ = sender.send(is_read && is_yes(&line)); // or a signal came first
    });
    answer
}

fn is_yes(line: &str) -> bool {
    matches!(&*line.trim().to_ascii_lowercase(), "y" | "yes")
}
