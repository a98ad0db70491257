from crewai import Agent, Crew, Process, Task

analyst = Agent(
    role="Analyst",
    goal="Find out what people pay for {product}",
    backstory="Numbers first.",
)
writer = Agent(role="Writer", goal="Say it in one page", backstory="Words second.")

prices = Task(description="Find prices of {product}.", expected_output="A table of prices")
page = Task(description="Write a page on the market of {product}.", expected_output="One page")

crew = Crew(
    agents=[analyst, writer],
    tasks=[prices, page],
    process=Process.hierarchical,
    manager_llm="gpt-4o-mini",
)

if __name__ == "__main__":
    print(crew.kickoff(inputs={"product": "bicycles"}))
