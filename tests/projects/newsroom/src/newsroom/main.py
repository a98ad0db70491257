from newsroom.crew import Newsroom


def run():
    Newsroom().crew().kickoff(inputs={"subject": "canals", "year": "2026"})


if __name__ == "__main__":
    run()
