use super::*;

fn status(problems: Vec<ProblemStatus>, requests: u64) -> ProcessStatus {
    let request = RecentRequest {
        method: "GET".to_owned(),
        path: "/a\u{9b}2J".to_owned(),
        status: Some(200),
        user: Some("uid:7".to_owned()),
        ms: 1.25,
        ..RecentRequest::default()
    };
    let mut proxy = ProxyStatus {
        name: "orders".to_owned(),
        problems,
        token: TokenStatus {
            state: "fresh".to_owned(),
            usable_for_s: 30,
            lifetime_s: 60,
            ..TokenStatus::default()
        },
        recent: (0..50).map(|_| request_like(&request)).collect(),
        ..ProxyStatus::default()
    };
    proxy.totals.requests = requests;
    ProcessStatus {
        version: "1".to_owned(),
        proxies: vec![proxy],
        ..ProcessStatus::default()
    }
}

fn request_like(request: &RecentRequest) -> RecentRequest {
    serde_json::from_value(serde_json::to_value(request).unwrap()).unwrap()
}

const SIZE: ScreenSize = ScreenSize {
    columns: 80,
    rows: 24,
};

fn one_screen(status: &ProcessStatus, size: ScreenSize) -> String {
    screen(status, &RequestRates::default(), size, None)
}

#[test]
fn problems_come_first_and_the_headline_names_them() {
    let problem = ProblemStatus {
        severity: "error".to_owned(),
        title: "The API is down: nothing is listening there".to_owned(),
        detail: "connection refused".to_owned(),
        responsible: "the API".to_owned(),
        remedy: "start it".to_owned(),
        ..ProblemStatus::default()
    };
    let shown = one_screen(&status(vec![problem], 1), SIZE);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[0],
        "cupbearer 1: The API is down: nothing is listening there"
    );
    assert_eq!(lines[1], "! The API is down: nothing is listening there");
    assert_eq!(
        lines[3..5],
        ["  whose side  the API", "  what to do  start it"]
    );
    assert!(one_screen(&status(vec![], 1), SIZE).starts_with("cupbearer 1: all is well"));
}

#[test]
fn the_screen_fits_the_window_and_follows_its_size() {
    for (columns, rows) in [(80, 24), (40, 10), (200, 60), (10, 3), (1, 1), (0, 0)] {
        let shown = one_screen(&status(vec![], 1), ScreenSize { columns, rows });
        assert!(
            shown.lines().count() < rows.max(2),
            "{columns} x {rows}: {shown}"
        );
        let longest = shown
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap();
        assert!(longest <= columns.max(2), "{columns} x {rows}: {shown}");
    }
    let tall = ScreenSize {
        columns: 80,
        rows: 40,
    };
    let requests = |size| {
        let shown = one_screen(&status(vec![], 1), size);
        shown.matches("GET").count()
    };
    assert!(requests(tall) > requests(SIZE));
}

#[test]
fn the_countdown_is_a_bar_and_no_control_character_reaches_the_terminal() {
    let shown = one_screen(&status(vec![], 1), SIZE);
    let bar = "█".repeat(10) + &"░".repeat(10);
    assert!(
        shown.contains(&format!("token        {bar} valid for 30s, next")),
        "{shown}"
    );
    assert!(
        shown.contains("200  GET           1.2 ms  /a?2J  uid:7"),
        "{shown}"
    );
}

#[test]
fn the_sparkline_shows_the_requests_between_two_looks_and_survives_a_restart() {
    let mut rates = RequestRates::default();
    for total in [100, 100, 107, 108, 3] {
        rates.note(&status(vec![], total));
    }
    assert_eq!(rates.sparkline("orders", 10), "▁█▂▄");
    assert_eq!(rates.sparkline("orders", 2), "▄█");
    assert_eq!(rates.sparkline("unknown", 2), "");
}

/// Two proxies, the first with a problem, the second with the later request.
fn two() -> ProcessStatus {
    let problem = ProblemStatus {
        severity: "error".to_owned(),
        title: "The API is down".to_owned(),
        responsible: "the API".to_owned(),
        remedy: "start it".to_owned(),
        ..ProblemStatus::default()
    };
    let mut all = status(vec![problem], 1);
    let mut other = status(vec![], 2).proxies.remove(0);
    other.name = "hosts".to_owned();
    other.recent.truncate(1);
    other.recent[0].path = "/of-hosts".to_owned();
    other.recent[0].ended_at_ms = 1;
    all.proxies.push(other);
    all
}

#[test]
fn several_proxies_have_an_overview_with_the_requests_of_all() {
    let shown = one_screen(&two(), SIZE);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[1],
        "[0 overview]  1 orders   2 hosts   Tab: next, q: end"
    );
    assert_eq!(lines[2], "! orders: The API is down");
    assert_eq!(lines[4], "  what to do  start it");
    assert!(shown.contains("\n1 orders: The API is down\n"), "{shown}");
    assert!(shown.contains("\n2 hosts: all is well\n"), "{shown}");
    let requests = shown.split_once("\nrequests\n").unwrap().1;
    assert!(
        requests.lines().next().unwrap().contains("/of-hosts"),
        "{requests}"
    );
}

#[test]
fn one_of_several_proxies_has_the_screen_to_itself_and_the_problems_of_others_are_one_line() {
    let shown = screen(&two(), &RequestRates::default(), SIZE, Some(1));
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[1].contains("[2 hosts]"), "{shown}");
    assert_eq!(lines[2], "! orders: The API is down");
    assert_eq!(lines[3], "");
    assert!(lines[4].starts_with("hosts: "), "{shown}");
    assert_eq!(shown.matches("GET").count(), 1);
}
