-- core/rules.py, where it counts. A property test holds both against each other.

local function contains(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

-- actor: {admin, standing, principals}; policy: {deciders, admits}
local function may(actor, policy)
  if actor.admin then return true end
  if not contains(policy.admits, actor.standing) then return false end
  if contains(policy.deciders, '*') then return true end
  for _, principal in ipairs(actor.principals) do
    if contains(policy.deciders, principal) then return true end
  end
  return false
end

-- question: {kind, options (ids), policy}; response: {action, value (an option's id or absent), words (stripped)}
local function admissible(question, response)
  local action, kind = response.action, question.kind
  if action == 'choose' then
    return kind == 'choice' and response.value ~= nil and contains(question.options, response.value)
  end
  if action == 'respond' then return response.words ~= '' end
  return (action == 'approve' or action == 'reject') and (kind == 'approval' or kind == 'review')
end
