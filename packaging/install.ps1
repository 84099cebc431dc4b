<#
.SYNOPSIS
Installs cupbearer for Windows, or removes it.

.DESCRIPTION
Verifies the archive's checksum and, with GitHub's command gh, that the repository's release workflow built it.
This script has never run: there was no PowerShell where it was written. install.sh, which does the same, is tested.

.EXAMPLE
./install.ps1
./install.ps1 -Version 0.1.0 -To C:\Tools
./install.ps1 -From D:\mirror\0.1.0
./install.ps1 -Uninstall
#>
[CmdletBinding()]
param(
    # This release instead of the latest.
    [string] $Version = '',
    # The folder for cupbearer.exe.
    [string] $To = (Join-Path $env:LOCALAPPDATA 'Programs\cupbearer'),
    # A mirror or a folder that holds the files of a release.
    [string] $From = '',
    # Removes the program; configuration and secrets stay.
    [switch] $Uninstall
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
# Windows PowerShell 5 is many times slower while it shows progress.
$ProgressPreference = 'SilentlyContinue'

# packaging/build writes the address here, from Cargo.toml.
$Repository = '@REPOSITORY@'
$Program = Join-Path $To 'cupbearer.exe'

function Copy-ReleaseFile([string] $Name, [string] $Folder) {
    $destination = Join-Path $Folder $Name
    if ($From -match '^https://' -or $From -match '^http://(127\.0\.0\.1|localhost):') {
        Invoke-WebRequest -UseBasicParsing -Uri "$From/$Name" -OutFile $destination
    } elseif ($From -match '^http://') {
        throw "$From is not encrypted: use https"
    } else {
        Copy-Item -LiteralPath (Join-Path $From $Name) -Destination $destination
    }
}

function Confirm-Attestation([string] $Archive) {
    $reason = ''
    if ($Repository -notmatch '^https://github\.com/') {
        $reason = 'this copy names no repository on GitHub'
    } elseif (-not (Get-Command gh -ErrorAction SilentlyContinue)) {
        $reason = 'gh is not installed'
    } else {
        & gh auth status *> $null
        if ($LASTEXITCODE -ne 0) { $reason = 'gh is not logged in' }
    }
    if ($reason) {
        Write-Output "Attestation: not verified, since $reason. The checksum comes from the same place as the archive, so it shows"
        Write-Output 'that the download is complete, not who built it.'
        return
    }
    $slug = $Repository -replace '^https://github\.com/', ''
    & gh attestation verify $Archive --repo $slug --signer-workflow "$slug/.github/workflows/release.yml" > $null
    if ($LASTEXITCODE -ne 0) {
        throw "gh found no valid attestation: the archive was not built by the release workflow of $Repository"
    }
    Write-Output "Attestation: built by the release workflow of $Repository"
}

function Install-Cupbearer {
    $target = 'x86_64-pc-windows-gnu'
    if (-not $script:From) {
        if ($Repository -notmatch '^https://') { throw 'this copy names no repository: use -From to say where the files of the release are' }
        $script:From = if ($Version) { "$Repository/releases/download/v$Version" } else { "$Repository/releases/latest/download" }
    }
    $script:From = $From.TrimEnd('/')
    $work = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
    New-Item -ItemType Directory -Path $work | Out-Null
    try {
        Write-Output "Installing cupbearer for $target from $From"
        Copy-ReleaseFile 'SHA256SUMS' $work
        $lines = @(Get-Content (Join-Path $work 'SHA256SUMS') | Where-Object { $_ -match "^[0-9a-f]{64} [ *]cupbearer-[A-Za-z0-9.+-]+-$target\.zip$" })
        if ($lines.Count -ne 1) { throw "the release has $($lines.Count) archives for $target" }
        $checksum, $name = $lines[0] -split ' [ *]', 2
        if ($Version -and $name -ne "cupbearer-$Version-$target.zip") { throw "$From has $name, not version $Version" }
        Copy-ReleaseFile $name $work
        $archive = Join-Path $work $name
        $actual = (Get-FileHash -Algorithm SHA256 -LiteralPath $archive).Hash.ToLowerInvariant()
        if ($actual -ne $checksum) { throw "the checksum of $name is $actual, but SHA256SUMS says $checksum" }
        Write-Output "Checksum of ${name}: as in SHA256SUMS"
        Confirm-Attestation $archive
        Expand-Archive -LiteralPath $archive -DestinationPath $work
        New-Item -ItemType Directory -Force -Path $To | Out-Null
        Copy-Item -Force -LiteralPath (Join-Path $work (Join-Path ($name -replace '\.zip$', '') 'cupbearer.exe')) -Destination $Program
        Write-Output "Installed $(& $Program --version) as $Program"
        if (($env:Path -split ';') -notcontains $To) { Write-Output "$To is not in Path: add it, or run the program by its full path." }
        Write-Output 'Next: cupbearer demo, or cupbearer init.'
    } finally {
        Remove-Item -Recurse -Force -LiteralPath $work
    }
}

if ($Uninstall) {
    if (-not (Test-Path -LiteralPath $Program)) { throw "there is no $Program; name the folder with -To" }
    Remove-Item -LiteralPath $Program
    Write-Output "Removed $Program"
    Write-Output 'Configuration files, and secrets in files or in the credential manager, are still there.'
} else {
    Install-Cupbearer
}
