# The formula of a Homebrew tap. packaging/manifests fills it in. It has never been installed by Homebrew.
class Cupbearer < Formula
  desc "Local reverse proxy that attaches OAuth 2.0 access tokens to requests"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@DOWNLOADS@/cupbearer-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256 aarch64-apple-darwin.tar.gz@"
    end
    on_intel do
      url "@DOWNLOADS@/cupbearer-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256 x86_64-apple-darwin.tar.gz@"
    end
  end
  on_linux do
    on_arm do
      url "@DOWNLOADS@/cupbearer-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256 aarch64-unknown-linux-musl.tar.gz@"
    end
    on_intel do
      url "@DOWNLOADS@/cupbearer-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256 x86_64-unknown-linux-musl.tar.gz@"
    end
  end

  def install
    bin.install "cupbearer"
    man1.install "man/cupbearer.1.gz"
    bash_completion.install "completions/cupbearer.bash" => "cupbearer"
    zsh_completion.install "completions/_cupbearer"
    fish_completion.install "completions/cupbearer.fish"
    pkgshare.install "example.toml", "THIRD-PARTY-LICENCES.txt"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/cupbearer --version")
  end
end
