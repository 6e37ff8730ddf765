"""How people write about the sound events: clauses, noun phrases and the words that name them.

Each event has clauses in the present, simple and progressive, singular and plural, active and
passive, and noun phrases; each of them by itself says what sounds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """How one event is written about.

    Attributes:
        clauses: with subject and verb, without a full stop.
        nouns: phrases that can follow "followed by".
        heads: every text of the event holds one of these.
        adverbs: what can follow a clause.
    """

    clauses: tuple[str, ...]
    nouns: tuple[str, ...]
    heads: tuple[str, ...]
    adverbs: tuple[str, ...] = ("loudly", "in the distance", "nearby", "repeatedly")


STEADY = ("loudly", "steadily", "nearby", "continuously", "in the distance")


def _words(clauses: str, nouns: str, heads: str, adverbs: tuple[str, ...] = ()) -> Words:
    """Reads lists with semicolons between their parts."""
    parts = [tuple(part.strip() for part in text.split(";")) for text in (clauses, nouns, heads)]
    return Words(*parts, adverbs) if adverbs else Words(*parts)


WORDS: dict[str, Words] = {
    "alarm clock ringing": _words(
        "an alarm clock rings; an alarm clock is ringing; an alarm rings; an alarm clock beeps",
        "an alarm clock ringing; the ringing of an alarm clock; an alarm",
        "alarm",
    ),
    "ambulance siren": _words(
        "a siren wails; an ambulance siren is wailing; an ambulance siren blares; sirens wail; "
        "sirens are blaring",
        "a siren; an ambulance siren; sirens wailing; a wailing siren",
        "siren; sirens",
    ),
    "baby crying": _words(
        "a baby cries; a baby is crying; an infant cries; babies cry; a baby wails",
        "a baby crying; an infant crying; the crying of a baby",
        "baby; infant; babies",
    ),
    "bee, wasp, etc. buzzing": _words(
        "a bee buzzes; bees are buzzing; an insect buzzes; bees buzz; a bee is buzzing",
        "bees buzzing; the buzzing of insects; an insect buzzing",
        "bee; bees; insect; insects",
    ),
    "bird chirping, tweeting": _words(
        "birds chirp; a bird chirps; birds are chirping; a bird is singing; birds sing; a bird "
        "tweets",
        "birds chirping; a bird chirping; the chirping of birds; bird song",
        "bird; birds",
    ),
    "car engine idling": _words(
        "a car engine idles; an engine is idling; a car engine runs; an engine is running",
        "a car engine idling; an idling engine; a running engine",
        "engine",
        STEADY,
    ),
    "cat meowing": _words(
        "a cat meows; a cat is meowing; cats meow; a kitten meows; cats are meowing",
        "a cat meowing; the meowing of a cat; a kitten meowing",
        "cat; cats; kitten",
    ),
    "chicken crowing": _words(
        "a rooster crows; a rooster is crowing; a chicken crows; roosters are crowing",
        "a rooster crowing; the crowing of a rooster",
        "rooster; roosters; chicken",
    ),
    "church bell ringing": _words(
        "church bells ring; a church bell rings; church bells are ringing; a church bell tolls",
        "church bells; church bells ringing; the ringing of church bells",
        "bell; bells",
    ),
    "cricket chirping": _words(
        "crickets chirp; crickets are chirping; a cricket chirps; a cricket is chirping",
        "crickets chirping; the chirping of crickets; a cricket chirping",
        "cricket; crickets",
        STEADY,
    ),
    "crow cawing": _words(
        "a crow caws; crows are cawing; a crow is cawing; crows caw",
        "a crow cawing; crows cawing; the cawing of crows",
        "crow; crows",
    ),
    "dog barking": _words(
        "a dog barks; a dog is barking; dogs bark; dogs are barking; several dogs bark; a puppy "
        "barks",
        "a dog barking; dogs barking; the barking of a dog",
        "dog; dogs; puppy",
    ),
    "fire crackling": _words(
        "a fire crackles; a fire is crackling; a campfire crackles; flames crackle",
        "a crackling fire; the crackling of a fire; a fire crackling",
        "fire; campfire; flames",
        STEADY,
    ),
    "footsteps on snow": _words(
        "a person walks on snow; someone walks through snow; a man is walking on snow; footsteps "
        "crunch on snow; snow is crunched under feet",
        "footsteps on snow; footsteps in the snow; the crunching of snow",
        "snow",
        ("slowly", "nearby", "quickly"),
    ),
    "frog croaking": _words(
        "a frog croaks; frogs croak; frogs are croaking; a frog is croaking; several frogs croak",
        "a frog croaking; frogs croaking; the croaking of frogs",
        "frog; frogs",
    ),
    "hammering nails": _words(
        "a nail is hammered; nails are being hammered; a man hammers nails; someone hammers a nail",
        "hammering; the hammering of nails; a hammer hitting a nail",
        "hammering; hammered; hammers; hammer",
        ("repeatedly", "loudly", "in the distance"),
    ),
    "helicopter": _words(
        "a helicopter flies; a helicopter is flying overhead; a helicopter hovers; helicopters fly",
        "a helicopter hovering; a helicopter flying; the whirring of a helicopter",
        "helicopter; helicopters",
        ("overhead", "nearby", "in the distance"),
    ),
    "horse clip-clop": _words(
        "a horse trots; a horse is trotting; horses trot; a horse walks; horses gallop",
        "a horse trotting; horse hooves clopping; the trotting of a horse",
        "horse; horses",
        ("slowly", "nearby", "quickly", "in the distance"),
    ),
    "lawn mowing": _words(
        "a lawn mower runs; a lawn mower is running; a lawn mower hums; the lawn is mowed",
        "a lawn mower humming; a lawn mower running; the hum of a lawn mower",
        "lawn",
        STEADY,
    ),
    "machine gun shooting": _words(
        "a machine gun fires; a gun is fired; machine guns are firing; guns shoot; a gun shoots",
        "machine gun fire; gunshots; a machine gun firing; a burst of gunfire",
        "gun; guns; gunshots; gunfire",
    ),
    "owl hooting": _words(
        "an owl hoots; owls hoot; an owl is hooting; owls are hooting",
        "an owl hooting; the hooting of an owl; owls hooting",
        "owl; owls",
        ("softly", "in the distance", "nearby"),
    ),
    "people clapping": _words(
        "people clap; people are clapping; a crowd claps; an audience applauds; a crowd applauds",
        "people clapping; applause; the clapping of a crowd",
        "clap; clapping; claps; applause; applauds",
        ("loudly", "politely", "enthusiastically"),
    ),
    "people whistling": _words(
        "a person whistles; a man is whistling; someone whistles; a man whistles a tune",
        "a person whistling; someone whistling; the whistling of a man",
        "whistles; whistling",
        ("cheerfully", "softly", "nearby"),
    ),
    "playing drum kit": _words(
        "drums play; a drummer plays; drums are played; drums are playing; a drum kit is played",
        "a drum beat; drums playing; the beat of drums",
        "drums; drummer; drum",
        ("loudly", "rhythmically", "nearby"),
    ),
    "raining": _words(
        "rain falls; rain is falling; it rains; rain pours down; rain patters; it is raining",
        "rain; rain falling; the patter of rain; heavy rain",
        "rain; rains; raining",
        ("steadily", "heavily", "gently"),
    ),
    "reversing beeps": _words(
        "a truck beeps; trucks beep; a reversing truck beeps; a truck is beeping",
        "a truck beeping; the beeping of a truck; a reversing truck beeping",
        "truck; trucks",
        ("repeatedly", "in the distance", "nearby"),
    ),
    "sea waves": _words(
        "waves crash; waves are crashing on a beach; waves crash ashore; ocean waves roll",
        "waves crashing; ocean waves; waves on a beach; the crashing of waves",
        "waves",
        ("gently", "steadily", "in the distance"),
    ),
    "sheep bleating": _words(
        "a sheep bleats; sheep bleat; a sheep is bleating; sheep are bleating; a lamb bleats",
        "a sheep bleating; the bleating of sheep; sheep bleating",
        "sheep; lamb",
    ),
    "stream burbling": _words(
        "a stream burbles; a stream flows; water trickles; a stream is flowing; water is flowing",
        "a stream flowing; water trickling; the burbling of a stream",
        "stream; water",
        ("gently", "steadily", "nearby"),
    ),
    "telephone bell ringing": _words(
        "a telephone rings; a phone rings; a telephone is ringing; a phone is ringing",
        "a telephone ringing; the ringing of a telephone; a phone ringing",
        "telephone; phone",
    ),
    "thunder": _words(
        "thunder rumbles; thunder is rumbling; thunder rolls; thunder roars; thunder booms",
        "thunder; a clap of thunder; rumbling thunder; the rumble of thunder",
        "thunder",
        ("loudly", "in the distance", "overhead"),
    ),
    "toilet flushing": _words(
        "a toilet flushes; a toilet is flushed; a toilet is flushing; someone flushes a toilet",
        "a toilet flushing; the flushing of a toilet; a toilet flush",
        "toilet",
        ("loudly", "nearby"),
    ),
    "typing on computer keyboard": _words(
        "a person types on a keyboard; someone is typing on a keyboard; a keyboard is typed on; "
        "keys on a keyboard click",
        "typing on a keyboard; keyboard typing; a person typing on a keyboard",
        "keyboard",
        ("quickly", "rapidly", "nearby"),
    ),
    "vacuum cleaner cleaning floors": _words(
        "a vacuum cleaner runs; a vacuum cleaner hums; a vacuum cleaner is running; a vacuum "
        "cleaner is being used",
        "a vacuum cleaner humming; a vacuum cleaner running; the hum of a vacuum cleaner",
        "vacuum",
        STEADY,
    ),
    "vehicle horn, car horn, honking": _words(
        "a car horn honks; a car honks; cars are honking; a horn is honked; car horns honk",
        "a car horn; a car honking; a horn honking; honking cars",
        "car; cars; horn; horns",
    ),
    "wind noise": _words(
        "wind blows; the wind is blowing; the wind howls; wind is howling; strong wind blows",
        "wind; wind blowing; the howling of the wind; strong wind",
        "wind",
        ("loudly", "steadily", "strongly"),
    ),
}
