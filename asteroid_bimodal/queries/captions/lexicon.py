"""Words that the caption grammar knows: verbs of sounding, what can sound, what only describes.

English captions of sounds use a small vocabulary, so closed lists and a few suffixes replace a
tagger. A word that is in no list counts as a noun.
"""

from __future__ import annotations

import re
from functools import lru_cache

DETERMINERS = frozenset(
    """a an the some any several many multiple various few more two three four five six both each
    another other one its his her their this that these those all numerous different no""".split()
)
BE = frozenset("is are was were be being been 's".split())
AUXILIARIES = BE | frozenset(
    "can could has have had does do will may keeps gets get getting".split()
)
PREPOSITIONS = frozenset(
    """in on at by of to from into onto over through across against near nearby around above below
    under behind inside outside within along toward towards past down up off out without
    beside for between among throughout upon about beneath like via underneath""".split()
)
RELATIVES = frozenset("which who".split())
PRONOUNS = RELATIVES | frozenset("he she it they".split())
MALE = frozenset("man men boy boys male males guy guys".split())
FEMALE = frozenset("woman women girl girls female females lady ladies".split())
HUMANS = (
    MALE
    | FEMALE
    | frozenset(
        """person people child children kid kids baby babies infant infants toddler toddlers adult
    adults someone somebody everyone crowd crowds audience speaker speakers group choir wife husband
    mother father others operator announcer singer singers teenager teenagers""".split()
    )
)
ANIMALS = frozenset(
    """dog dogs puppy puppies cat cats kitten kittens bird birds pigeon pigeons duck ducks goose
    geese rooster chicken chickens hen crow crows owl seagull seagulls dove doves sheep goat
    goats lamb lambs cow cows pig pigs horse horses donkey frog frogs toad insect insects bee
    bees fly flies mosquito cricket crickets cicada cicadas snake snakes mouse monkey monkeys
    animal animals wolf wolves lion tiger bear elephant livestock pet pets""".split()
)
PLURALS = frozenset(
    """people men women children others sheep geese mice crowd audience group feet cattle livestock
    traffic police they""".split()
)

# Verbs that make a person or an animal their subject, and verbs that cannot have one.
VOICE_VERBS = frozenset(
    """speak talk laugh cry giggle chuckle sob shout yell cough sneeze snore breathe converse
    communicate whisper narrate applaud cheer clap chant yawn burp belch hiccup meow bark
    bleat sniff sniffle sing gasp moan chatter""".split()
)
THING_VERBS = frozenset(
    """click clank rattle rustle vibrate beep crinkle crackle tick ding whir sizzle gurgle drip pour
    flow rev idle rumble clatter clang clink clack clunk crumple blow thump thud swoosh whoosh
    squeak creak scrape splash splatter""".split()
)
OTHER_VERBS = frozenset(
    """buzz hum hiss chirp tweet caw squawk coo quack cluck croak moo oink neigh whinny growl howl
    whimper whine yip yelp snort grunt groan roar purr screech squeal scream wail shriek
    murmur mumble babble vocalize holler call sound make give play ring chime toll honk toot
    blare whistle bang knock tap hit slam crash smash break crack pop burst explode boom pound
    hammer drill saw sand file grind cut chop scratch rub rip tear crunch shuffle step walk
    run jog trot gallop clop clip-clop move pass drive ride race speed accelerate decelerate
    slow skid brake approach depart travel fly hover land operate work spin rotate turn start
    begin stop continue end pause open close shut lock flush drain spray stream trickle bubble
    rush fall rain drop splosh slosh wave flap flutter blast fire shoot go come take set type
    dial answer narrate echo fade increase decrease grow tick-tock ticktock whirl chug sputter
    power boil fry cook stir eat chew drink swallow gulp sip kiss spit crow cock bounce roll
    slide swing shake jingle tinkle rattle respond say announce preach argue sleep react try
    attempt repeat release wind whip strike crackle crumble shift change swish sweep brush
    scrub wash mix scuff trample stomp march dance chase leave arrive cross load unload ignite
    stutter sail paddle croon strum bleep buzz thunder scuffle pant throttle exhale inhale
    rock fuss smack slap flick snap
    use put pick throw pull push fill kick sigh fidget downshift yap snarl scamper choke restart
    labor puff stall hoot slurp wheeze crank refill tumble verbalize reverberate gust burble ripple
    twitter baa travel rasp zoom fart flutter ruffle dribble snicker exclaim drone patter cackle
    squeeze whiz reload gush reverse fizz emit cheep stitch snip splatter putter ping mewl
    lick jump mutter snort guffaw titter squish scurry stamp swirl squelch spill speech
    burn engage dive joke join curse dong pulse zip churn lap gobble yowl grumble settle switch
    place press knead""".split()
)
VERBS = VOICE_VERBS | THING_VERBS | OTHER_VERBS
# These take an object, so a gerund of theirs before a noun is still a verb ("playing music").
TRANSITIVE = frozenset(
    """make give play hit snap blow use say take hold skid clop flap open close shut operate speed
    move bang clang pass turn stir load chew eat drink cut chop rub beat set release ring honk
    toot sound""".split()
)
# Verbs that say when a sound ends, how loud it is, or that somebody makes none.
PHASES = frozenset("stop continue end pause cease finish persist fail".split())
SILENT_VERBS = PHASES | frozenset(
    """fade increase decrease diminish subside intensify grow become get weaken lessen quiet quieten
    die dissipate dwindle recede wane resume vary last remain sleep wait sit stand watch
    listen""".split()
)
SILENCES = frozenset("silence silences pause pauses gap gaps".split())
# Things that are named for their sound, and the names of sounds.
SOUND_SOURCES = frozenset(
    """engine engines motor motors siren sirens alarm alarms bell bells horn horns wind rain traffic
    drums waterfall""".split()
)
SOUND_NOUNS = SOUND_SOURCES | frozenset(
    """noise noises sound sounds speech music thunder laughter applause static voice voices
    conversation chatter footsteps footfalls explosion explosions gunshot gunshots gunfire vibration
    vibrations song songs tune melody rainfall thunderstorm tone tones bass percussion silence
    crying movement commotion hoofbeats breath breaths dialogue monologue clicks effect effects
    whistles feedback""".split()
)
DEVICES = frozenset(
    """microphone radio intercom television tv loudspeaker speaker speakers phone telephone
    megaphone walkie-talkie pa mic speakerphone""".split()
)
VOICES = frozenset("voice voices radio television tv toy doll recording robot".split())
TONES = frozenset("voice tone accent lisp echo".split())  # "speaks with a deep voice"
PLACES = frozenset("background distance foreground nearby".split())
# Vehicles and machines, and what of them is no other source: "a truck with a loud engine".
MACHINES = frozenset(
    """car cars truck trucks bus van vehicle vehicles motorcycle motorcycles motorbike motorbikes
    train boat motorboat speedboat tractor plane airplane aircraft helicopter engine
    motor""".split()
)
PARTS = frozenset("engine engines motor motors idle muffler exhaust".split())
MANNER_NOUNS = frozenset(
    "time times moment moments while way manner speed pace volume pitch frequency rate".split()
)
ADJECTIVES = frozenset(
    """loud soft faint light heavy quiet low high deep sharp quick slow fast rapid brief short long
    large small big little tiny huge young old older distant far near close hard strong steady
    slight single repeated muffled repetitive continuous constant consistent distinct bright
    dull dry wet hollow gentle calm pitched high-pitched low-pitched loudly sudden intense
    moderate mechanical metallic electronic electric digital rhythmic intermittent obvious
    clear industrial powerful louder softer faster slower closer quieter higher lower harsh
    noisy windy foreign human very quite somewhat rather too really just also almost still
    hard first twice once away together overhead outdoors indoors everywhere apart here back forward
    persistent regular irregular random muted upbeat weird strange
    squeaky smooth raspy rough shrill idle indistinct unintelligible mid mid-size medium""".split()
)
_NOT_GERUNDS = frozenset(
    """thing something anything nothing everything ring king sing bring spring string wing swing
    morning evening ceiling during clothing sling sting ping ding building wedding lightning
    railing earring""".split()
)
_VOWELS = "aeiou"


def _gerund(base: str) -> str:
    """The -ing form of a verb."""
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + "ing"
    last = base.rpartition("-")[2]
    if base == "begin" or re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", last):
        return base + base[-1] + "ing"  # one short syllable
    return base + "ing"


def _third(base: str) -> str:
    """The third person singular of a verb."""
    if base.endswith("y") and base[-2] not in _VOWELS:
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


GERUND_OF = {_gerund(base): base for base in sorted(VERBS | SILENT_VERBS)}
THIRD_OF = {_third(base): base for base in sorted(VERBS | SILENT_VERBS)}
# Verbs whose "it" stands for nothing: "it is raining".
WEATHER = frozenset(
    form(base)
    for base in ("rain", "snow", "hail", "drizzle", "storm", "thunder")
    for form in (str, _third, _gerund)
) | {"windy", "stormy"}
_IRREGULAR = frozenset("shut torn hit shot blown rung broken set put cut".split())
FUNCTION_WORDS = DETERMINERS | PREPOSITIONS | AUXILIARIES
OBJECT_STARTS = DETERMINERS | {"it", "him", "them"}


@lru_cache(maxsize=4096)
def is_gerund(word: str) -> bool:
    """Whether the word is an -ing form of a verb."""
    return word.endswith("ing") and len(word) > 4 and word not in _NOT_GERUNDS


@lru_cache(maxsize=4096)
def is_modifier(word: str) -> bool:
    """Whether the word only describes: determiners, adjectives, adverbs, fixed pairs."""
    return (
        word in DETERMINERS
        or word in ADJECTIVES
        or "_" in word
        or word.endswith(("ly", "ous", "ful"))
        or (word.endswith(("ic", "ed")) and word not in {"music", "static", "traffic", "plastic"})
        or word.isdigit()
    ) and word not in {"fly", "family", "seed", "speed"}


def is_manner(word: str) -> bool:
    """Whether the word says how, where or for how long, and names no deed."""
    listed = PREPOSITIONS | PLACES | MANNER_NOUNS
    return word in listed or (is_modifier(word) and not is_participle(word))


def is_participle(word: str) -> bool:
    """Whether the word is what was done to something: "flushed" of "the toilet is flushed"."""
    return word in _IRREGULAR or (word.endswith("ed") and word[:-2] + "ing" in GERUND_OF)


@lru_cache(maxsize=4096)
def base_of(word: str) -> str:
    """The base of a known verb form; any other word as it is."""
    return GERUND_OF.get(word) or THIRD_OF.get(word) or word


@lru_cache(maxsize=4096)
def is_sound(word: str) -> bool:
    """Whether the word by itself names a sound: a verb of sounding in any form, or a noun."""
    last = word.rpartition("-")[2]
    return any(
        w in SOUND_NOUNS
        or ((is_gerund(w) or base_of(w) in VERBS) and base_of(w) not in SILENT_VERBS)
        for w in (word, last)
    )


def is_deed(word: str) -> bool:
    """Whether the word is a form of a verb of sounding."""
    return is_gerund(word) or base_of(word) in VERBS


def is_plural(words: list[str]) -> bool:
    """Whether a noun phrase takes a plural verb, as far as its words tell."""
    return any(
        w in PLURALS
        or w == "and"
        or (w.endswith("s") and not w.endswith(("ss", "us", "'s")) and w not in FUNCTION_WORDS)
        for w in words
    )
