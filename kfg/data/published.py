"""Published data sets that `kfg data` can fetch: addresses, sizes and digests of their archives.

Source of sizes and digests: the checksum files of tensorflow/datasets (CUB, pets, dogs: bytes and sha256) and of
torchvision (pets, Caltech-101: md5), which agree; the sha256 of FGVC-Aircraft and the size of Caltech-101 are those
that several public projects give after downloading. A download from these addresses has not been tested yet.
"""

import dataclasses

from kfg.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """One file of a published data set.

    Args:
        url: address at which it is published.
        size: bytes.
        algorithm: algorithm of `digest`, "sha256" or "md5".
        digest: hex digest of the file.
    """

    url: str
    size: int
    digest: str
    algorithm: str = "sha256"

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """A published data set.

    Args:
        archives: its files, which are unpacked into one folder.
        folder: the folder to give to other commands, relative to that folder; "" for the folder itself.
        nested: archives inside the archives; each is unpacked in its own folder.
        left_out: unpacked folders that are not classes of the set; they are removed.
        page: web page with its terms of use.
    """

    archives: tuple[Archive, ...]
    folder: str = ""
    nested: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    page: str


OF_SYNSETS = "imagenet20"  # fetched class by class: kfg.data.imagenet20
SETS = {
    "cub-200-2011": Published(
        archives=(
            Archive(
                url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
                size=1_150_585_339,
                digest="0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
            ),
        ),
        folder="CUB_200_2011",
        page="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    ),
    "fgvc-aircraft-2013b": Published(
        archives=(
            Archive(
                url="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz",
                size=2_753_340_328,
                digest="e4e323d410e29f0370c81eabdcbb0e2b813acea1de22891b70b58ff41bfc9834",
            ),
        ),
        folder="fgvc-aircraft-2013b",
        page="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    ),
    "oxford-iiit-pet": Published(
        archives=(
            Archive(
                url="https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
                size=791_918_971,
                digest="67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
            ),
            Archive(
                url="https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
                size=19_173_078,
                digest="52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
            ),
        ),
        page="https://www.robots.ox.ac.uk/~vgg/data/pets/",
    ),
    "stanford-dogs": Published(
        archives=(
            Archive(
                url="http://vision.stanford.edu/aditya86/ImageNetDogs/images.tar",
                size=793_579_520,
                digest="a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
            ),
            Archive(
                url="http://vision.stanford.edu/aditya86/ImageNetDogs/lists.tar",
                size=481_280,
                digest="34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c",
            ),
        ),
        page="http://vision.stanford.edu/aditya86/ImageNetDogs/",
    ),
    "caltech-101": Published(
        archives=(
            Archive(
                url="https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
                size=137_414_764,
                digest="3138e1922a9193bfa496528edbbc45d0",
                algorithm="md5",
            ),
        ),
        folder="caltech-101/101_ObjectCategories",
        nested=("caltech-101/101_ObjectCategories.tar.gz",),
        left_out=("caltech-101/101_ObjectCategories/BACKGROUND_Google",),  # unrelated pictures, not a class
        page="https://data.caltech.edu/records/mzrjq-6wc02",
    ),
}


def find(name: str) -> Published:
    """Return the published data set called `name`.

    Raises:
        InputError: the name is unknown.
    Example:
        >>> find("cub-200-2011").archives[0].file
        'CUB_200_2011.tgz'
    """
    if name not in SETS:
        raise InputError(f"{name!r}: no published data set has this name; choose from {', '.join((*SETS, OF_SYNSETS))}")
    return SETS[name]
