//! What `cupbearer status --watch` shows in a terminal: problems first, the countdown of the token, the traffic, and as
//! many recent requests as fit.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::admin::status_api::{
    ProblemStatus, ProcessStatus, ProxyStatus, RecentRequest, TokenStatus,
};
use crate::text::{Unprintable, counted, sanitize};

/// The levels of a sparkline.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The width of the countdown.
const BAR: usize = 20;

/// How many looks the sparkline goes back.
const REMEMBERED: usize = 120;

/// Requests of each proxy between two looks, which `/status` does not say.
#[derive(Debug, Default)]
pub(super) struct RequestRates {
    by_proxy: BTreeMap<String, RateOfProxy>,
}

#[derive(Debug, Default)]
struct RateOfProxy {
    total: Option<u64>,
    counts: VecDeque<u64>,
}

impl RequestRates {
    /// Takes note of the totals in `status`.
    pub(super) fn note(&mut self, status: &ProcessStatus) {
        for proxy in &status.proxies {
            let rates = self.by_proxy.entry(proxy.name.clone()).or_default();
            let total = proxy.totals.requests;
            if let Some(before) = rates.total {
                // After a restart it counts from zero.
                rates
                    .counts
                    .push_back(total.checked_sub(before).unwrap_or(total));
            }
            rates.total = Some(total);
            while rates.counts.len() > REMEMBERED {
                rates.counts.pop_front();
            }
        }
    }

    /// The last `width` counts as a line of bars.
    fn sparkline(&self, proxy: &str, width: usize) -> String {
        let Some(rates) = self.by_proxy.get(proxy) else {
            return String::new();
        };
        let shown = rates.counts.iter();
        let shown: Vec<u64> = shown
            .skip(rates.counts.len().saturating_sub(width))
            .copied()
            .collect();
        let most = shown.iter().copied().max().unwrap_or(0).max(1);
        let level = |count: u64| {
            let highest = LEVELS.len() as u64 - 1;
            // Any request is visibly more than none.
            let level = (count * highest).div_ceil(most);
            LEVELS[usize::try_from(level).unwrap_or(0).min(LEVELS.len() - 1)]
        };
        shown.into_iter().map(level).collect()
    }
}

/// The size of the terminal in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScreenSize {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// One screen, no line longer and not more lines than there is room for. `shown` is the index of the proxy, or `None`
/// for the overview if there are several.
pub(super) fn screen(
    status: &ProcessStatus,
    rates: &RequestRates,
    size: ScreenSize,
    shown: Option<usize>,
) -> String {
    let mut lines = vec![headline(status)];
    let several = status.proxies.len() > 1;
    let shown = if several { shown } else { Some(0) };
    if several {
        lines.push(tab_line(status, shown));
    }
    lines.extend(problems_of(status, shown));
    match shown.map(|index| status.proxies.get(index)) {
        Some(proxy) => lines.extend(proxy.iter().flat_map(|proxy| {
            let requests = proxy.recent.iter().map(request_line);
            let lines = proxy_lines(proxy, rates, size.columns);
            lines.into_iter().chain(requests)
        })),
        None => lines.extend(overview_lines(status, rates, size.columns)),
    }
    lines.truncate(size.rows.saturating_sub(1).max(1));
    let longest = size.columns.saturating_sub(1).max(1);
    let cut = lines.iter().map(|line| {
        let line = sanitize(line, Unprintable::Mark);
        line.chars().take(longest).collect::<String>()
    });
    cut.collect::<Vec<_>>().join("\n")
}

/// The overview and the proxies with the keys that lead there.
fn tab_line(status: &ProcessStatus, shown: Option<usize>) -> String {
    let tab = |index: Option<usize>, name: &str| {
        let key = index.map_or(0, |index| index + 1);
        let label = if key > 9 {
            name.to_owned()
        } else {
            format!("{key} {name}")
        };
        if shown == index {
            format!("[{label}]")
        } else {
            format!(" {label} ")
        }
    };
    let proxies = status.proxies.iter().enumerate();
    let mut tabs = vec![tab(None, "overview")];
    tabs.extend(proxies.map(|(index, proxy)| tab(Some(index), &proxy.name)));
    tabs.push(" Tab: next, q: end".to_owned());
    tabs.join(" ")
}

/// What is wrong: everything about what is shown, and one line about each problem of another proxy.
fn problems_of(status: &ProcessStatus, shown: Option<usize>) -> Vec<String> {
    let several = status.proxies.len() > 1;
    let of_process = status.problems.iter();
    let mut lines: Vec<_> = of_process
        .flat_map(|problem| problem_lines(problem, None))
        .collect();
    let mut of_others = Vec::new();
    for (index, proxy) in status.proxies.iter().enumerate() {
        let name = several.then_some(&*proxy.name);
        let found = proxy
            .problems
            .iter()
            .map(|problem| problem_lines(problem, name));
        if shown.is_none_or(|shown| shown == index) {
            lines.extend(found.flatten());
        } else {
            of_others.extend(found.filter_map(|lines| lines.into_iter().next()));
        }
    }
    lines.extend(of_others);
    lines
}

/// Two lines for each proxy, and the recent requests of all.
fn overview_lines(status: &ProcessStatus, rates: &RequestRates, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (index, proxy) in status.proxies.iter().enumerate() {
        let state = match proxy.problems.first() {
            Some(problem) => &*problem.title,
            None => "all is well",
        };
        let totals = &proxy.totals;
        lines.push(format!("{} {}: {state}", index + 1, proxy.name));
        lines.push(format!(
            "  token {}; {}, {} × 4xx, {} × 5xx  {}",
            token_validity(&proxy.token),
            counted(totals.requests, "request"),
            totals.client_errors,
            totals.server_errors,
            rates.sparkline(&proxy.name, columns / 4),
        ));
    }
    let of_all = status
        .proxies
        .iter()
        .flat_map(|proxy| proxy.recent.iter().map(move |request| (proxy, request)));
    let mut recent: Vec<_> = of_all.collect();
    recent.sort_by_key(|(_, request)| std::cmp::Reverse(request.ended_at_ms));
    lines.push("requests".to_owned());
    lines.extend(
        recent
            .into_iter()
            .map(|(proxy, request)| format!("{}  {}", request_line(request), proxy.name)),
    );
    lines
}

fn headline(status: &ProcessStatus) -> String {
    let problems = status.proxies.iter().flat_map(|proxy| &proxy.problems);
    let mut severe = status
        .problems
        .iter()
        .chain(problems)
        .filter(|problem| problem.severity != "notice");
    let state = match severe.next() {
        None => "all is well".to_owned(),
        Some(first) => match severe.count() {
            0 => first.title.clone(),
            more => format!("{}, and {more} more", first.title),
        },
    };
    format!("cupbearer {}: {state}", status.version)
}

fn problem_lines(problem: &ProblemStatus, proxy: Option<&str>) -> Vec<String> {
    let proxy = proxy.map(|name| format!("{name}: ")).unwrap_or_default();
    let since = problem
        .since
        .as_ref()
        .map(|since| format!(" (since {since})"));
    let mut lines = vec![format!(
        "! {proxy}{}{}",
        problem.title,
        since.unwrap_or_default()
    )];
    if !problem.detail.is_empty() {
        lines.push(format!("  because     {}", problem.detail));
    }
    lines.push(format!("  whose side  {}", problem.responsible));
    lines.push(format!("  what to do  {}", problem.remedy));
    lines
}

fn proxy_lines(proxy: &ProxyStatus, rates: &RequestRates, columns: usize) -> Vec<String> {
    let totals = &proxy.totals;
    let label = "  traffic      ";
    let room = columns.saturating_sub(label.len() + 1);
    vec![
        String::new(),
        format!(
            "{}: {} to {}",
            proxy.name,
            proxy.listens_on.join(", "),
            proxy.upstream
        ),
        format!("  token        {}", countdown(&proxy.token)),
        format!("{label}{}", rates.sparkline(&proxy.name, room)),
        format!(
            "  since start  {}, {} × 4xx, {} × 5xx; now {} in flight",
            counted(totals.requests, "request"),
            totals.client_errors,
            totals.server_errors,
            counted(proxy.requests_in_flight, "request"),
        ),
        "requests".to_owned(),
    ]
}

/// How long the token can still be used, in words.
pub(super) fn token_validity(token: &TokenStatus) -> String {
    match token.usable_for_s {
        0 if token.state == "starting" => "none yet".to_owned(),
        0 => "no longer valid".to_owned(),
        _ if token.sign_in.is_some() && token.expires_at.is_none() => {
            "valid until the API rejects it".to_owned()
        }
        usable => format!(
            "valid for {}",
            humantime::format_duration(Duration::from_secs(usable))
        ),
    }
}

/// The time that is left, as a bar and in words.
fn countdown(token: &TokenStatus) -> String {
    let width = BAR as u64;
    let full = token.usable_for_s.min(token.lifetime_s) * width;
    let full = usize::try_from(full.checked_div(token.lifetime_s).unwrap_or(0)).unwrap_or(0);
    format!(
        "{}{} {}, next token request in {}",
        "█".repeat(full),
        "░".repeat(BAR - full.min(BAR)),
        token_validity(token),
        humantime::format_duration(Duration::from_secs(token.next_attempt_in_s))
    )
}

fn request_line(request: &RecentRequest) -> String {
    let status = request
        .status
        .map_or_else(|| "left".to_owned(), |status| status.to_string());
    let who = request.caller.as_ref().or(request.user.as_ref());
    let more = [request.reason.as_ref(), who].into_iter().flatten();
    let more: Vec<&str> = more.map(String::as_str).collect();
    format!(
        "{:>6} s ago  {status:<4} {:<7} {:>9} ms  {}  {}",
        request.ago_s,
        request.method,
        format!("{:.1}", request.ms),
        request.path,
        more.join("  ")
    )
}

#[cfg(test)]
mod tests;
