"""What of a text names a sound: its content words by stems, without articles, prompts and manner.

A closed list and a few endings do, as in the grammar of captions; nothing is looked up.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .captions import lexicon as lex

_WORD = re.compile(r"[^\W\d_]{2,}")
_PLACE = re.compile(  # "a dog barks | in the yard"
    r"\b(?:in|on|at|near|nearby|from|through|inside|outside|behind|across|along|into|onto)\b"
)
# Words that every sound is asked for with: "the sound of …", "someone plays the …".
_SAYS_LITTLE = lex.FUNCTION_WORDS | frozenset(
    """and or while then it there someone somebody person persons people player players sound sounds
    sounding noise noises music play plays playing played perform performs performing hear heard
    audio clip recording""".split()
)
# Words that say how, or who plays, and leave the sound what it is; an electric guitar is another.
_SAYS_HOW = (lex.ADJECTIVES | lex.PLACES | lex.MANNER_NOUNS | lex.HUMANS) - frozenset(
    "electric electronic digital".split()
) | {"solo"}
_ENDINGS = ("ing", "ies", "es", "ed", "s", "e", "y")
_SHORTEST = 3  # letters that an ending leaves
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "hooves": "hoof",
    "geese": "goose",
}


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """What singular, plural and verbal forms of a word have in common.

    Examples:
        >>> stem("barks"), stem("barking"), stem("flies"), stem("fly"), stem("drumming")
        ('bark', 'bark', 'fli', 'fli', 'drum')
    """
    word = _IRREGULAR.get(word, word)
    for ending in _ENDINGS:
        root = word.removesuffix(ending)
        if root != word and len(root) >= _SHORTEST and re.search("[aeiouy]", root):
            word = root
            break
    if word[-2:-1] == word[-1:]:
        word = word[:-1]
    return f"{word[:-1]}i" if word.endswith("y") else word


def content_words(text: str) -> dict[str, str]:
    """The words of a text that say what sounds, by their stems; all words where none does.

    Examples:
        >>> content_words("The sound of a dog that is barking in the yard")
        {'dog': 'dog', 'bark': 'barking'}
        >>> content_words("Someone plays on the violins"), content_words("sounds")
        ({'violin': 'violins'}, {'sound': 'sounds'})
    """
    text = text.casefold().replace("'s", "").replace("’s", "")
    for part in (_PLACE.split(text)[0], text):
        if words := [word for word in _WORD.findall(part) if word not in _SAYS_LITTLE]:
            break
    return {stem(word): word for word in words or _WORD.findall(text)}


def says_how(word: str) -> bool:
    """Whether a word tells of a sound and names none: "loudly", "old", "man", "wails"."""
    sounds = lex.base_of(word) in lex.VERBS
    return sounds or word in _SAYS_HOW or (word.endswith("ly") and word != "fly")
