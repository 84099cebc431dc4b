//! `cupbearer completions`: what a shell, or `man`, is given so that it knows the command line.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Exit, say};

/// Below `--help`.
pub(super) const HELP: &str = "\
Example:
  cupbearer completions bash > ~/.local/share/bash-completion/completions/cupbearer
  cupbearer completions zsh > ~/.zfunc/_cupbearer
  cupbearer completions fish > ~/.config/fish/completions/cupbearer.fish
  cupbearer completions man > /usr/local/share/man/man1/cupbearer.1";

/// For whom.
#[derive(Args, Debug, Clone, Copy, PartialEq, Eq)]
#[group(skip)] // the variant that it is flattened into has the name
pub struct Completions {
    /// A shell; or man, for a manual page
    #[arg(value_name = "SHELL")]
    reader: Reader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reader {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
    /// A manual page
    Man,
}

/// Prints it on standard output; a closed pipe is no failure.
pub(super) fn completions(wanted: Completions) -> Exit {
    let text = match text(wanted.reader) {
        Ok(text) => text,
        Err(error) => {
            say(&format!("cupbearer completions: {error}"));
            return Exit::Failed;
        }
    };
    let mut out = io::stdout();
    match out.write_all(&text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("cupbearer completions: standard output: {error}"));
            Exit::Failed
        }
        Ok(()) | Err(_) => Exit::Fine,
    }
}

fn text(reader: Reader) -> io::Result<Vec<u8>> {
    let shell = match reader {
        Reader::Bash => Shell::Bash,
        Reader::Elvish => Shell::Elvish,
        Reader::Fish => Shell::Fish,
        Reader::PowerShell => Shell::PowerShell,
        Reader::Zsh => Shell::Zsh,
        Reader::Man => return manual(),
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cupbearer", &mut text);
    Ok(text)
}

/// One page for all commands: each has its sections, one level down.
fn manual() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    write_sections(&mut text, ".SH", &command)?;
    for inner in command.get_subcommands() {
        let name = inner.get_name().to_ascii_uppercase();
        writeln!(text, ".SH \"CUPBEARER {name}\"")?;
        if let Some(about) = inner.get_about() {
            text.extend_from_slice(as_it_is(&about.to_string()).as_bytes());
        }
        write_sections(&mut text, ".SS", inner)?;
    }
    page.render_version_section(&mut text)?;
    Ok(text)
}

/// What clap has for one command; examples keep their lines.
fn write_sections(text: &mut Vec<u8>, heading: &str, command: &clap::Command) -> io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    writeln!(text, "{heading} SYNOPSIS\n.nf\n{}.fi", as_it_is(usage))?;
    let mut options = Vec::new();
    Man::new(command.clone()).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options).replace(".SH ", &format!("{heading} "));
    text.extend_from_slice(options.as_bytes());
    if let Some(help) = command.get_after_help() {
        let help = as_it_is(&help.to_string());
        writeln!(text, "{heading} EXAMPLES\n.nf\n{help}.fi")?;
    }
    Ok(())
}

/// Lines that roff leaves alone: a backslash and a hyphen are themselves, and a line's first character is no
/// request.
fn as_it_is(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        format!("\\&{line}\n")
    });
    lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests;
