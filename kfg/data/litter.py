"""Files and folders that systems, storage devices and tools leave among photographs; they are no classes or images."""

# Names are compared without case. Some of these folders hold thumbnails and deleted files, which look like images.
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
    """Return whether a file or folder of this name was made by a system or a device, not by the photographer.

    Names that begin with a dot are hidden, and other code handles them.

    Example:
        >>> is_litter("@eaDir", folder=True), is_litter("thumbs.DB", folder=False), is_litter("lost", folder=True)
        (True, True, False)
    """
    name = name.casefold()
    # Windows saves parts of damaged files in FOUND.000 and so on; SYNO... files are in Synology's thumbnail folders
    found = name.startswith("found.") and name[6:].isdigit()
    return name in FOLDERS or found if folder else name in FILES or name.startswith(("synophoto_", "synofile_"))
