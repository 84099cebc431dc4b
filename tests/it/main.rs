//! Integration tests: one binary with a module for each concern. The name of each test states a claim.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the failure message"
)]
#![cfg_attr(
    not(unix),
    allow(
        dead_code,
        unused_imports,
        reason = "most of the helpers serve tests of Unix"
    )
)]

#[cfg(unix)]
mod admin;
mod admin_floods;
mod answers;
mod build_info;
mod byte_counts;
mod callers;
#[cfg(unix)]
mod check_and_run;
#[cfg(unix)]
mod commands;
mod cors;
mod cuts;
#[cfg(all(unix, feature = "demo"))]
mod doctor;
mod expiry;
mod floods;
mod forwarding;
mod fuzz_corpus;
mod house;
mod http2;
#[cfg(unix)]
mod identities;
#[cfg(unix)]
mod idle_close;
#[cfg(unix)]
mod keygen;
#[cfg(unix)]
mod leaks;
#[cfg(unix)]
mod learn;
mod leaving;
#[cfg(target_os = "linux")]
mod login_redirect;
#[cfg(unix)]
mod logs;
#[cfg(target_os = "linux")]
mod lost_results;
mod mutations;
#[cfg(target_os = "linux")]
mod notify;
mod outbound;
#[cfg(target_os = "linux")]
mod passed_sockets;
mod person_changes;
mod reasons;
mod reload;
mod reload_guard;
mod reload_secret;
mod reload_source;
#[cfg(feature = "demo")]
mod replay;
mod reports;
mod restart;
mod rewriting;
#[cfg(unix)]
mod several;
#[cfg(target_os = "linux")]
mod siege;
#[cfg(unix)]
mod sign_in;
mod silent_callers;
mod smuggling;
mod support;
#[cfg(target_os = "linux")]
mod surroundings;
mod tls;
mod token_field;
#[cfg(unix)]
mod token_source;
mod tokens;
#[cfg(unix)]
mod unreadable_heads;
mod upgrades;
#[cfg(unix)]
mod users;
