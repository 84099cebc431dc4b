//! The events of the live page, as `text/event-stream` (the HTML standard, section 9.2).
//!
//! A viewer reads what the proxies have recorded anyway, ten times a second while it is connected. No request waits
//! until a viewer has read. A viewer that does not read is not polled, so that nothing is kept for it, and the server
//! cuts its connection. What it could not be sent in time is counted, and the page says how much that is.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::request_status::numbered;
use super::status_api::RecentRequest;
use crate::metrics::{Metrics, TIME_BUCKETS, TrafficSample};

/// How many viewers there may be: a page for each of a few people, and some forgotten tabs.
pub(super) const VIEWERS: usize = 8;

/// How often a viewer gets what is new.
const TICK: Duration = Duration::from_millis(100);

/// How many ticks are between two descriptions of the state.
const TICKS_PER_STATUS: u64 = 10;

/// The most requests of one proxy that a viewer gets at once. Nobody reads more, and each costs time.
const REQUESTS_PER_TICK: usize = 60;

/// Gives each viewer a place.
pub(super) struct ViewerPlaces(Arc<Semaphore>);

impl Default for ViewerPlaces {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(VIEWERS)))
    }
}

impl ViewerPlaces {
    /// `None` if there are as many viewers as there may be.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// What one viewer gets.
pub struct EventStream {
    sources: Vec<EventSource>,
    /// The state as JSON; `None` once the viewer may not read it any more.
    status: Box<dyn Fn() -> Option<String> + Send + Sync>,
    ticks: Interval,
    tick: u64,
    _place: OwnedSemaphorePermit,
}

/// One proxy, and how far the viewer has got with it.
struct EventSource {
    proxy: String,
    metrics: Arc<Metrics>,
    requests_seen: u64,
    samples_seen: u64,
}

/// The data of an event `requests`.
#[derive(Serialize)]
struct RequestsEvent<'a> {
    proxy: &'a str,
    /// How many requests came between these and the ones before, but are not among them.
    omitted: u64,
    /// The latest last.
    requests: Vec<RecentRequest>,
}

/// The data of an event `samples`.
#[derive(Serialize)]
struct SamplesEvent<'a> {
    proxy: &'a str,
    /// The upper bounds of `b`, in seconds; what took longer than the last comes after them.
    bounds: &'static [f64],
    samples: Vec<SampleEvent>,
}

/// One interval of the history, with short names, since a new viewer gets hundreds of them.
#[derive(Serialize)]
struct SampleEvent {
    /// Its end, in seconds since 1970.
    t: u64,
    /// Requests by the first digit of the status; those without come first.
    c: [u64; 6],
    /// Requests by their time: the buckets of `cupbearer_request_seconds`.
    b: Vec<u64>,
    /// Bytes from clients.
    i: u64,
    /// Bytes to clients.
    o: u64,
}

impl EventStream {
    /// The events of these proxies, by name.
    pub(super) fn new(
        proxies: impl Iterator<Item = (String, Arc<Metrics>)>,
        status: Box<dyn Fn() -> Option<String> + Send + Sync>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            sources: proxies
                .map(|(proxy, metrics)| EventSource {
                    proxy,
                    metrics,
                    requests_seen: 0,
                    samples_seen: 0,
                })
                .collect(),
            status,
            ticks,
            tick: 0,
            _place: place,
        }
    }

    /// The next events; `None` if the viewer gets no more.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        loop {
            ready!(self.ticks.poll_tick(cx));
            let Some(text) = self.events() else {
                return Poll::Ready(None);
            };
            if !text.is_empty() {
                return Poll::Ready(Some(text));
            }
        }
    }

    /// What has happened since the last tick.
    fn events(&mut self) -> Option<String> {
        let is_first = self.tick == 0;
        let mut text = String::new();
        if self.tick.is_multiple_of(TICKS_PER_STATUS) {
            write_event(&mut text, "status", &(self.status)()?);
        }
        self.tick += 1;
        for source in &mut self.sources {
            let most = if is_first {
                usize::MAX
            } else {
                REQUESTS_PER_TICK
            };
            source.write_requests(&mut text, most, is_first);
            source.write_samples(&mut text);
        }
        Some(text)
    }
}

impl EventSource {
    fn write_requests(&mut self, text: &mut String, most: usize, is_first: bool) {
        let newer = self.metrics.newer_than(self.requests_seen, most);
        if newer.entries.is_empty() {
            return;
        }
        self.requests_seen = newer.recorded;
        write_json(
            text,
            "requests",
            &RequestsEvent {
                proxy: &self.proxy,
                // A new viewer has missed nothing that it could expect.
                omitted: if is_first { 0 } else { newer.omitted },
                requests: numbered(&newer.entries, newer.recorded),
            },
        );
    }

    fn write_samples(&mut self, text: &mut String) {
        let newer = self.metrics.samples_after(self.samples_seen);
        if newer.samples.is_empty() {
            return;
        }
        self.samples_seen = newer.taken;
        write_json(
            text,
            "samples",
            &SamplesEvent {
                proxy: &self.proxy,
                bounds: &TIME_BUCKETS,
                samples: newer.samples.into_iter().map(SampleEvent::from).collect(),
            },
        );
    }
}

impl From<TrafficSample> for SampleEvent {
    fn from(sample: TrafficSample) -> Self {
        let since_epoch = sample.at.duration_since(UNIX_EPOCH);
        Self {
            t: since_epoch.map_or(0, |time| time.as_secs()),
            c: sample.added.by_class,
            b: sample.added.by_time,
            i: sample.added.bytes_in,
            o: sample.added.bytes_out,
        }
    }
}

fn write_json(text: &mut String, name: &str, data: &impl Serialize) {
    // Cannot fail: these are strings and numbers with constant names.
    write_event(text, name, &serde_json::to_string(data).unwrap_or_default());
}

/// `data` is JSON on one line, in which a line break is always escaped.
fn write_event(text: &mut String, name: &str, data: &str) {
    for part in ["event: ", name, "\ndata: ", data, "\n\n"] {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests;
