//! Runs the doctor for the live page, in a thread of its own: some checks block, and nothing may delay requests.

use serde_json::json;
use tokio::sync::mpsc;

use super::doctor::check_to_json;
use super::invocation::Invocation;
use crate::admin::{ExaminationPlace, StartExamination};
use crate::config::{Loaded, Overrides, Surroundings};
use crate::doctor::{self, CheckProgress, DoctorOptions};

/// How many lines may wait for their reader: more than the doctor has checks, for a few proxies.
const LINES: usize = 256;

/// Examines the configurations that these proxies were started with, as they are now.
pub(super) fn examination_of(all: &[Loaded], invocation: Option<&Invocation>) -> StartExamination {
    let of_file = |one: &Loaded| Overrides {
        file: one.file.clone(),
        is_found_here: one.is_found_here,
        ..Overrides::default()
    };
    let (proxies, surroundings) = match invocation {
        Some(invocation) => (invocation.proxies.clone(), invocation.surroundings.clone()),
        None => (all.iter().map(of_file).collect(), Surroundings::default()),
    };
    let surroundings = Surroundings {
        has_running_proxies: true,
        ..surroundings
    };
    let names: Vec<String> = all.iter().map(|one| one.config.name.clone()).collect();
    Box::new(move |place| {
        let (sender, receiver) = mpsc::channel(LINES);
        let (proxies, surroundings) = (proxies.clone(), surroundings.clone());
        let names = names.clone();
        let run = move || examine(&proxies, &names, &surroundings, &sender, place);
        // Without a thread there are no checks, and the page says that it got none.
        let _ = std::thread::Builder::new()
            .name("doctor".to_owned())
            .spawn(run);
        receiver
    })
}

fn examine(
    proxies: &[Overrides],
    names: &[String],
    surroundings: &Surroundings,
    lines: &mpsc::Sender<String>,
    place: ExaminationPlace,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    for (index, overrides) in proxies.iter().enumerate() {
        let options = DoctorOptions {
            overrides,
            text: None,
            surroundings,
            path: None,
        };
        let name = names.get(index);
        let mut report = |progress: CheckProgress<'_>| {
            let line = match progress {
                CheckProgress::Started { number, title } => {
                    json!({ "proxy": name, "number": number, "title": title })
                }
                CheckProgress::Finished(check) => {
                    let mut line = check_to_json(check);
                    line["proxy"] = json!(name);
                    line
                }
            };
            // A viewer that is gone needs no more lines, and one that does not read gets no more.
            let _ = lines.try_send(format!("{line}\n"));
        };
        runtime.block_on(doctor::examine(&options, &mut report));
    }
    drop(place);
}
