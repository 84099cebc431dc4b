//! `cupbearer completions`: completions for a shell, or the manual page, made from the definition of the command line.

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say};

/// Print completions for a shell, or the manual page
#[derive(Args)]
#[group(skip)]
#[command(after_help = "\
Example:
  mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc
  mkdir -p ~/.config/fish/completions ~/.local/share/man/man1
  cupbearer completions bash > ~/.local/share/bash-completion/completions/cupbearer
  cupbearer completions zsh > ~/.zfunc/_cupbearer
  cupbearer completions fish > ~/.config/fish/completions/cupbearer.fish
  cupbearer completions man > ~/.local/share/man/man1/cupbearer.1

For zsh, ~/.zshrc needs fpath+=~/.zfunc before compinit.")]
pub(super) struct CompletionsArgs {
    /// A shell, or man for the manual page
    #[arg(value_name = "SHELL")]
    format: CompletionFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompletionFormat {
    Bash,
    Elvish,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
    /// The manual page
    Man,
}

impl CompletionsArgs {
    /// `cli` is the definition of the whole command line.
    pub(super) fn execute(self, before: SettingsArgs, cli: clap::Command) -> Exit {
        if let Err(exit) = Invocation::new(before, &SettingsArgs::default()).single() {
            return exit;
        }
        let text = match text(self.format, cli) {
            Ok(text) => text,
            Err(error) => {
                say(&format!("cupbearer completions: {error}"));
                return Exit::Failed;
            }
        };
        let text = String::from_utf8_lossy(&text);
        print_result("cupbearer completions", &text, Exit::Fine)
    }
}

fn text(format: CompletionFormat, mut cli: clap::Command) -> io::Result<Vec<u8>> {
    let shell = match format {
        CompletionFormat::Bash => Shell::Bash,
        CompletionFormat::Elvish => Shell::Elvish,
        CompletionFormat::Fish => Shell::Fish,
        CompletionFormat::PowerShell => Shell::PowerShell,
        CompletionFormat::Zsh => Shell::Zsh,
        CompletionFormat::Man => return manual_page(cli),
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli, "cupbearer", &mut text);
    Ok(text)
}

/// One page for all commands; each has its sections one level down.
fn manual_page(cli: clap::Command) -> io::Result<Vec<u8>> {
    let mut cli = cli.disable_help_subcommand(true);
    cli.build();
    let page = Man::new(cli.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    write_sections(&mut text, ".SH", &cli)?;
    for command in cli.get_subcommands() {
        let name = command.get_name().to_ascii_uppercase();
        writeln!(text, ".SH \"CUPBEARER {name}\"")?;
        if let Some(about) = command.get_about() {
            text.extend_from_slice(verbatim(&about.to_string()).as_bytes());
        }
        write_sections(&mut text, ".SS", command)?;
    }
    page.render_version_section(&mut text)?;
    Ok(text)
}

/// Synopsis, options and examples of one command. The lines of the examples are kept.
fn write_sections(text: &mut Vec<u8>, heading: &str, command: &clap::Command) -> io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    writeln!(text, "{heading} SYNOPSIS\n.nf\n{}.fi", verbatim(usage))?;
    let mut options = Vec::new();
    Man::new(command.clone()).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options).replace(".SH ", &format!("{heading} "));
    text.extend_from_slice(options.as_bytes());
    if let Some(help) = command.get_after_help() {
        let help = verbatim(&help.to_string());
        writeln!(text, "{heading} EXAMPLES\n.nf\n{help}.fi")?;
    }
    Ok(())
}

/// Escapes the text for roff: backslashes and hyphens are literal, and no line begins with a request.
fn verbatim(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        format!("\\&{line}\n")
    });
    lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests;
