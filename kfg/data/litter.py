"""Files and folders that systems, storage devices and tools leave among photographs: no class and no image."""

# Names as they are compared: without case. Folders hold thumbnails and thrown-away files, which look like images.
FOLDERS = frozenset(name.casefold() for name in (
    "__MACOSX", "Network Trash Folder", "Temporary Items", "TheVolumeSettingsFolder",  # macOS
    "$RECYCLE.BIN", "RECYCLER", "RECYCLED", "System Volume Information", "WPSystem", "Config.Msi",  # Windows
    "lost+found",  # Linux
    "@eaDir", "#recycle", "#snapshot", "@tmp", "@SynoEAStream", "@SynoResource", "@sharebin",  # Synology
    "@Recycle", "@Recently-Snapshot", "@__thumb", "@Transcode",  # QNAP
    "__pycache__",
))  # fmt: skip
FILES = frozenset(name.casefold() for name in (
    "Thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "Icon\r", "Picasa.ini", "ZbThumbnail.info",
    "autorun.inf", "IndexerVolumeGuid", "WPSettings.dat", "pspbrwse.jbf",
))  # fmt: skip


def is_litter(name: str, *, folder: bool) -> bool:
    """Return whether a file or folder of this name belongs to a system or a device, not to the photographs.

    Names that begin with a dot are hidden and not asked about here.

    Example:
        >>> is_litter("@eaDir", folder=True), is_litter("thumbs.DB", folder=False), is_litter("lost", folder=True)
        (True, True, False)
    """
    name = name.casefold()
    # FOUND.000 and so on: what Windows makes of damaged files; SYNO..: in Synology's thumbnail folders
    found = name.startswith("found.") and name[6:].isdigit()
    return name in FOLDERS or found if folder else name in FILES or name.startswith(("synophoto_", "synofile_"))
